package hook

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// URL is where a hook's requests go. It prints without what may be secret:
// credentials, query and fragment are left out of every form of it, and *** stands
// for the path, in which many services have a token. Whole is for those who may see it.
type URL struct {
	parsed *url.URL
}

// maxURL is how long a URL may be, in bytes: eight times what the application's column
// holds.
const maxURL = 16 << 10

// ParseURL accepts an absolute http or https URL with a host. Its errors do not
// quote the text, which may hold credentials.
func ParseURL(text string) (URL, error) {
	if len(text) > maxURL {
		return URL{}, fmt.Errorf("url is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		return URL{}, errors.New("url cannot be parsed") // err quotes the whole text
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return URL{}, errors.New("url must begin with http:// or https://")
	}
	if u.Hostname() == "" {
		return URL{}, errors.New("url must name a host")
	}
	if !utf8.ValidString(u.Host) || strings.ContainsFunc(u.Host, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return URL{}, errors.New("url must name a host in characters that can be shown")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return URL{}, errors.New("url must have a port from 1 to 65535")
		}
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return URL{parsed: u}, nil
}

// Origin is scheme://host[:port], and empty for the zero URL.
func (u URL) Origin() string {
	if u.parsed == nil {
		return ""
	}
	return u.parsed.Scheme + "://" + u.parsed.Host
}

// Host is the host's name or address, in lower case and without the port; empty for the
// zero URL.
func (u URL) Host() string {
	if u.parsed == nil {
		return ""
	}
	return strings.ToLower(u.parsed.Hostname())
}

// Equal reports whether both are the same, what is secret included.
func (u URL) Equal(v URL) bool {
	return u.parsed != nil && v.parsed != nil && u.parsed.String() == v.parsed.String()
}

// same reports whether both say the same, or nothing.
func (u URL) same(v URL) bool {
	return u.parsed == nil && v.parsed == nil || u.Equal(v)
}

// escapeQuery escapes what would end the query on the request's first line, or is
// not ASCII. net/url does so with the path alone.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// String is scheme://host[:port], followed by /*** if there is a path; empty for the
// zero URL.
func (u URL) String() string {
	if u.parsed == nil {
		return ""
	}
	path := u.parsed.EscapedPath()
	if path != "" && path != "/" {
		path = "/***"
	}
	return u.Origin() + path
}

// Whole is scheme://host[:port]/path, for those who may see payloads; empty for the zero
// URL.
func (u URL) Whole() string {
	if u.parsed == nil {
		return ""
	}
	return u.Origin() + u.parsed.EscapedPath()
}

// Reveal is all of it, credentials, path and query included, to be read alone: for
// requests, and for nothing that is shown. It is nil for the zero URL.
func (u URL) Reveal() *url.URL { return u.parsed }

// GoString is the String in quotes: %#v does not look inside either.
func (u URL) GoString() string { return strconv.Quote(u.String()) }

// LogValue is the String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText is the String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
