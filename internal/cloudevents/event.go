package cloudevents

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Texts of the specification.
const (
	SpecVersion    = "1.0"                          // version of the specification
	StructuredType = "application/cloudevents+json" // media type of one event in the JSON format
	StructuredTail = "}"                            // closes the object that AppendHead has begun
)

// Event is the source of an event's attributes.
type Event struct {
	ID      string // webhook-id
	Action  string // as the hook spells it
	Project int64  // 0: no project
	Task    int64  // 0: not exactly one task
	Time    string // commit time, RFC 3339
}

// AppendSource appends the event's source: the path of its project in Label Studio
// (/projects/7), a URI reference that stays the same for as long as the project exists.
// Together with the id it is unique within one database.
func (e *Event) AppendSource(dst []byte) []byte {
	dst = append(dst, '/')
	if e.Project == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, "projects/"...), e.Project, 10)
}

// AppendType appends the event's type: the reversed name of Label Studio's domain, then
// the action in lower case with dots for its underscores. Different actions have different
// types.
func (e *Event) AppendType(dst []byte) []byte {
	dst = append(dst, "io.labelstud."...)
	for i := range len(e.Action) {
		c := e.Action[i]
		switch {
		case c == '_':
			c = '.'
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// AppendSubject appends the event's subject within its source (tasks/42). An event that
// is not about exactly one task has none: nothing is appended.
func (e *Event) AppendSubject(dst []byte) []byte {
	if e.Task == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, "tasks/"...), e.Task, 10)
}

// AppendHead appends the event in the JSON format up to its data. The data, which is JSON
// itself, and StructuredTail follow.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
func (e *Event) AppendHead(dst []byte) []byte {
	dst = append(dst, `{"specversion": "`+SpecVersion+`", "id": `...)
	dst = quote(append(dst, e.ID...), len(dst))
	dst = append(dst, `, "source": `...)
	dst = quote(e.AppendSource(dst), len(dst))
	dst = append(dst, `, "type": `...)
	dst = quote(e.AppendType(dst), len(dst))
	if e.Task != 0 {
		dst = append(dst, `, "subject": `...)
		dst = quote(e.AppendSubject(dst), len(dst))
	}
	dst = append(dst, `, "time": `...)
	dst = quote(append(dst, e.Time...), len(dst))
	return append(dst, `, "datacontenttype": "application/json", "data": `...)
}

// quote turns the text in dst from start on into a JSON string.
func quote(dst []byte, start int) []byte {
	text := dst[start:]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(string(text)) // a string never fails
			return append(dst[:start], quoted...)
		}
	}
	dst = append(dst, `""`...)
	copy(dst[start+1:], dst[start:len(dst)-2])
	dst[start] = '"'
	return dst
}

// AppendHeaderValue appends the value of an attribute in its header form: characters
// outside printable ASCII, blanks, quotation marks and percent signs are percent-encoded
// UTF-8.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
func AppendHeaderValue(dst []byte, value string) []byte {
	const digits = "0123456789ABCDEF"
	for _, r := range value {
		if '!' <= r && r <= '~' && r != '"' && r != '%' {
			dst = append(dst, byte(r))
			continue
		}
		var room [utf8.UTFMax]byte
		for _, c := range utf8.AppendRune(room[:0], r) { // U+FFFD for invalid UTF-8
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		}
	}
	return dst
}

// IsHeader reports whether a header of that name is read as an attribute in the binary
// content mode. Many servers do not distinguish _ and -, nor upper and lower case.
func IsHeader(name string) bool {
	const begins = "ce-"
	return strings.EqualFold(strings.ReplaceAll(name[:min(len(name), len(begins))], "_", "-"), begins)
}

// IsMediaType reports whether a body with that Content-Type is read as a CloudEvent, or a
// batch of them, in the structured content mode.
func IsMediaType(contentType string) bool {
	const begins = "application/cloudevents"
	return strings.EqualFold(contentType[:min(len(contentType), len(begins))], begins)
}
