package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxHeaders is the maximum number of a hook's headers, as in the webhooks guide.
const maxHeaders = 10

// maxHeaderBytes bounds the column, since all hooks are in memory, and whoever may create
// hooks writes it. Few servers accept more than 64 KiB by default.
const maxHeaderBytes = 64 << 10

// forbidden are headers that a hook cannot set: they belong to the connection (RFC 9110
// 7.6.1), frame the message, or are set for each attempt.
var forbidden = []string{
	"connection", "content-length", "expect", "host", "idempotency-key", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// Headers are a hook's own headers. They print as names with *** for values.
type Headers struct {
	list []header // sorted by name
}

type header struct{ name, value string }

// ParseHeaders reads the column's JSON object of strings; an empty text means no headers.
// Errors name headers, but never a value.
func ParseHeaders(text string) (Headers, error) {
	if text == "" {
		return Headers{}, nil
	}
	if len(text) > maxHeaderBytes {
		return Headers{}, fmt.Errorf("headers are longer than %d bytes", maxHeaderBytes)
	}
	var object map[string]*string
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return Headers{}, errors.New("headers must be a JSON object of strings") // the error may quote a value
	}
	if len(object) > maxHeaders {
		return Headers{}, fmt.Errorf("%d headers: at most %d are allowed", len(object), maxHeaders)
	}
	h := Headers{list: make([]header, 0, len(object))}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		if err := checkHeader(name, value); err != nil {
			return Headers{}, err
		}
		if slices.ContainsFunc(h.list, func(o header) bool { return strings.EqualFold(o.name, name) }) {
			return Headers{}, fmt.Errorf("header %q is set twice", name)
		}
		h.list = append(h.list, header{name, *value})
	}
	return h, nil
}

func checkHeader(name string, value *string) error {
	if !headerName.MatchString(name) {
		return fmt.Errorf("header %q: a name may only contain letters, digits, - and _", name)
	}
	// Many servers do not distinguish _ and - in a header's name.
	plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if slices.Contains(forbidden, plain) || strings.HasPrefix(plain, "webhook-") || strings.HasPrefix(plain, "hooktail-") {
		return fmt.Errorf("header %q cannot be set by a hook", name)
	}
	if value == nil {
		return fmt.Errorf("header %q: the value must be a string", name)
	}
	if strings.ContainsFunc(*value, isControl) {
		return fmt.Errorf("header %q: the value contains a line break or another control character", name)
	}
	return nil
}

var headerName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// isControl reports whether a value cannot contain the character (RFC 9110, section 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// Reveal returns the names in the hook's spelling with their values, which may be secret:
// for requests only, never for display.
func (h Headers) Reveal() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, own := range h.list {
			if !yield(own.name, own.value) {
				return
			}
		}
	}
}

// Has reports whether there is a header with that name.
func (h Headers) Has(name string) bool {
	return slices.ContainsFunc(h.list, func(own header) bool { return strings.EqualFold(own.name, name) })
}

// String returns the names, each with *** in place of its value.
func (h Headers) String() string {
	names := make([]string, len(h.list))
	for i, own := range h.list {
		names[i] = own.name + ": ***"
	}
	return strings.Join(names, ", ")
}

// GoString returns String in quotes, so that %#v does not look inside either.
func (h Headers) GoString() string { return strconv.Quote(h.String()) }

// LogValue returns String.
func (h Headers) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText returns String.
func (h Headers) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Len returns the number of headers.
func (h Headers) Len() int { return len(h.list) }
