package mapping

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

type encoding byte

const (
	asString encoding = iota
	asNumber
	asBool
	asJSON
	asTime    // timestamptz
	asSecret  // null for every value
	asNothing // no field
)

// encodings are those of types. Unlisted types are sent as strings of their text form.
var encodings = map[uint32]encoding{
	pgtype.BoolOID: asBool, pgtype.JSONOID: asJSON, pgtype.JSONBOID: asJSON, pgtype.TimestamptzOID: asTime,
	pgtype.Int2OID: asNumber, pgtype.Int4OID: asNumber, pgtype.Int8OID: asNumber, pgtype.OIDOID: asNumber,
	pgtype.Float4OID: asNumber, pgtype.Float8OID: asNumber, pgtype.NumericOID: asNumber,
}

// appendValue appends a value in text form as JSON. Numbers keep their digits and JSON
// its bytes: the server has checked both, except for the character encoding in a database
// without one. Numbers that JSON does not allow (NaN, Infinity) become null, and text
// that does not match its type becomes a string.
func appendValue(dst []byte, as encoding, text []byte) []byte {
	switch as {
	case asNumber:
		if isNumber(text) {
			return append(dst, text...)
		}
		switch string(text) {
		case "NaN", "Infinity", "-Infinity":
			return append(dst, "null"...)
		}
	case asBool:
		switch string(text) {
		case "t":
			return append(dst, "true"...)
		case "f":
			return append(dst, "false"...)
		}
	case asJSON:
		if utf8.Valid(text) {
			return append(dst, text...)
		}
		return append(dst, bytes.ToValidUTF8(text, []byte("\ufffd"))...)
	case asTime:
		if out, ok := appendTime(dst, text); ok {
			return out
		}
	case asSecret:
		return append(dst, "null"...)
	}
	return appendString(dst, text)
}

// isNumber reports whether text is a JSON number (RFC 8259, section 6), which is also
// PostgreSQL's form of finite numbers.
func isNumber(text []byte) bool {
	if n := digits(text); n > 0 && n == len(text) { // most are ids and counters
		return n == 1 || text[0] != '0'
	}
	return len(text) > 0 && (text[0] == '-' || digits(text[:1]) == 1) && digits(text[len(text)-1:]) == 1 && json.Valid(text)
}

// digits returns the number of decimal digits at the beginning of text.
func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}
	return n
}

const (
	isoSeconds  = "2006-01-02 15:04:05"
	jsonSeconds = "2006-01-02T15:04:05"
)

// appendTime appends a timestamptz (DateStyle ISO) in the form of Label Studio: in UTC,
// with six digits of fraction, or none if it is zero. It reports whether the text has
// this form, which infinity and years beyond 9999 do not.
func appendTime(dst, text []byte) ([]byte, bool) {
	const seconds = len(isoSeconds)
	if len(text) < seconds+3 || text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':' ||
		digits(text[:4])+digits(text[5:7])+digits(text[8:10])+digits(text[11:13])+digits(text[14:16])+digits(text[17:19]) != 14 {
		return dst, false
	}
	fraction, zone := text[:0], text[seconds:]
	if zone[0] == '.' {
		n := digits(zone[1:])
		if n == 0 || n > 6 {
			return dst, false
		}
		fraction, zone = zone[1:1+n], zone[1+n:]
	}
	start := len(dst)
	dst = append(dst, '"')
	if string(zone) == "+00" {
		dst = append(dst, text[:10]...)
		dst = append(dst, 'T')
		dst = append(dst, text[11:seconds]...)
	} else {
		t, ok := inZone(text[:seconds], zone)
		if !ok {
			return dst[:start], false
		}
		dst = t.AppendFormat(dst, jsonSeconds)
	}
	if len(fraction) > 0 {
		dst = append(dst, '.')
		dst = append(dst, fraction...)
		dst = append(dst, "000000"[len(fraction):]...)
	}
	return append(dst, 'Z', '"'), true
}

// inZone returns the UTC time of a local time with an offset in PostgreSQL's form.
func inZone(local, zone []byte) (time.Time, bool) {
	for _, layout := range []string{"-07", "-07:00", "-07:00:00"} {
		if t, err := time.Parse(isoSeconds+layout, string(local)+string(zone)); err == nil {
			t = t.UTC()
			return t, t.Year() >= 1 && t.Year() <= 9999
		}
	}
	return time.Time{}, false
}

// appendString appends text as a JSON string. Bytes that are not UTF-8, which a
// UTF8 database cannot hold, become U+FFFD.
func appendString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRune(text[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, text[start:i]...)
		short := strings.IndexByte("\"\\\n\r\t", c)
		switch {
		case c >= utf8.RuneSelf:
			dst = append(dst, "\ufffd"...)
		case short >= 0:
			dst = append(dst, '\\', `"\nrt`[short])
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}
