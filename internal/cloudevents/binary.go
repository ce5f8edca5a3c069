package cloudevents

import (
	"strings"
	"unicode/utf8"
)

// HeaderPrefix begins the names of an event's headers in the binary content mode.
const HeaderPrefix = "ce-"

// IsHeader reports whether a header of that name is read as an attribute. Many servers do
// not distinguish _ and -, nor upper and lower case.
func IsHeader(name string) bool {
	return len(name) >= len(HeaderPrefix) && strings.EqualFold(strings.ReplaceAll(name[:len(HeaderPrefix)], "_", "-"), HeaderPrefix)
}

// IsMediaType reports whether a body with that Content-Type is read as a CloudEvent, or a
// batch of them, in the structured content mode.
func IsMediaType(contentType string) bool {
	const begins = "application/cloudevents"
	return len(contentType) >= len(begins) && strings.EqualFold(contentType[:len(begins)], begins)
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
