package cloudevents

import "encoding/json"

// StructuredType is the media type of one event in the JSON format.
const StructuredType = "application/cloudevents+json"

// StructuredTail closes the object that AppendHead has begun.
const StructuredTail = "}"

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
