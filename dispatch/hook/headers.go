package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// maxHeaders is how many headers a hook may have, as in the webhooks guide.
const maxHeaders = 10

// maxHeaderBytes is how long the column may be: as much as Go's servers accept of a whole
// header by default.
const maxHeaderBytes = 1 << 20

// forbidden are the headers that are not the hook's to set: they belong to the
// connection (RFC 9110 7.6.1), frame the message, or are set per attempt.
var forbidden = []string{
	"connection", "content-length", "expect", "host", "idempotency-key", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection",
	"te", "trailer", "transfer-encoding", "upgrade",
}

// Headers are a hook's own headers. They print as names with *** for a value.
type Headers struct {
	list []header // by name
}

type header struct{ name, value string }

// ParseHeaders reads the JSON object of strings that the column holds; no text
// is no headers. Its errors name headers, never a value.
func ParseHeaders(text string) (Headers, error) {
	if text == "" {
		return Headers{}, nil
	}
	if len(text) > maxHeaderBytes {
		return Headers{}, fmt.Errorf("headers are longer than %d bytes", maxHeaderBytes)
	}
	var object map[string]*string
	if err := json.Unmarshal([]byte(text), &object); err != nil || object == nil {
		return Headers{}, errors.New("headers must be a JSON object of strings") // err may quote a value
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
			return Headers{}, fmt.Errorf("header %q is there twice", name)
		}
		h.list = append(h.list, header{name, *value})
	}
	return h, nil
}

func checkHeader(name string, value *string) error {
	if name == "" || strings.IndexFunc(name, notInName) >= 0 {
		return fmt.Errorf("header %q: a name has letters, digits, - and _ only", name)
	}
	// Many servers do not tell _ from - in a header's name.
	plain := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if slices.Contains(forbidden, plain) || strings.HasPrefix(plain, "webhook-") || strings.HasPrefix(plain, "hooktail-") {
		return fmt.Errorf("header %q may not be set by a hook", name)
	}
	if value == nil {
		return fmt.Errorf("header %q: the value must be a string", name)
	}
	if strings.IndexFunc(*value, isControl) >= 0 {
		return fmt.Errorf("header %q: the value holds a line break or another control character", name)
	}
	return nil
}

func notInName(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Reveal is the names as the hook writes them, each with its value, which may be a
// secret: for requests, and for nothing that is shown.
func (h Headers) Reveal() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, own := range h.list {
			if !yield(own.name, own.value) {
				return
			}
		}
	}
}

// Has reports whether the header of that name is one of them.
func (h Headers) Has(name string) bool {
	return slices.ContainsFunc(h.list, func(own header) bool { return strings.EqualFold(own.name, name) })
}

// String is the names, each with *** in place of its value.
func (h Headers) String() string {
	var b strings.Builder
	for i, own := range h.list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(own.name)
		b.WriteString(": ***")
	}
	return b.String()
}

// GoString is the String in quotes: %#v does not look inside either.
func (h Headers) GoString() string { return strconv.Quote(h.String()) }

// LogValue is the String.
func (h Headers) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText is the String.
func (h Headers) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Len is how many there are.
func (h Headers) Len() int { return len(h.list) }
