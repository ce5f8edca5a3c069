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

// URL is the address of a hook's requests. It prints without parts that may be secret:
// credentials, query and fragment are omitted, and the path, which often contains a
// token, is printed as ***. Whole is for people who may see it.
type URL struct {
	parsed *url.URL
}

// maxURL is the maximum length of a URL in bytes: eight times that of the application's
// column.
const maxURL = 16 << 10

// ParseURL accepts an absolute http or https URL with a host. Its errors do not quote the
// text, which may contain credentials.
func ParseURL(text string) (URL, error) {
	if len(text) > maxURL {
		return URL{}, fmt.Errorf("url is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		return URL{}, errors.New("url cannot be parsed: special characters must be percent-encoded (% is %25)") // the error quotes the whole text
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return URL{}, errors.New("url must begin with http:// or https://")
	}
	if u.Hostname() == "" {
		return URL{}, errors.New("url must name a host")
	}
	if !utf8.ValidString(u.Host) || strings.ContainsFunc(u.Host, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return URL{}, errors.New("url must name a host in printable characters")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return URL{}, errors.New("url must have a port from 1 to 65535")
		}
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return URL{parsed: u}, nil
}

// Origin returns scheme://host[:port]; empty for the zero URL.
func (u URL) Origin() string {
	if u.parsed == nil {
		return ""
	}
	return u.parsed.Scheme + "://" + u.parsed.Host
}

// Host returns the host's name or address, in lower case and without the port; empty for
// the zero URL.
func (u URL) Host() string { return strings.ToLower(u.orEmpty().Hostname()) }

func (u URL) orEmpty() *url.URL {
	if u.parsed == nil {
		return &url.URL{}
	}
	return u.parsed
}

// Equal reports whether both are the same, including secret parts.
func (u URL) Equal(v URL) bool {
	return u == v || u.parsed != nil && v.parsed != nil && u.parsed.String() == v.parsed.String()
}

// escapeQuery escapes characters that would end the query in the request line, or are not
// ASCII. net/url only does so for the path.
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

// String returns scheme://host[:port], followed by /*** if there is a path; empty for the
// zero URL.
func (u URL) String() string {
	path := u.orEmpty().EscapedPath()
	if path != "" && path != "/" {
		path = "/***"
	}
	return u.Origin() + path
}

// Whole returns scheme://host[:port]/path, for people who may see payloads; empty for the
// zero URL.
func (u URL) Whole() string { return u.Origin() + u.orEmpty().EscapedPath() }

// Reveal returns the whole URL with credentials, path and query; it is read-only, for
// requests only, never for display. It is nil for the zero URL.
func (u URL) Reveal() *url.URL { return u.parsed }

// GoString returns String in quotes, so that %#v does not look inside either.
func (u URL) GoString() string { return strconv.Quote(u.String()) }

// LogValue returns String.
func (u URL) LogValue() slog.Value { return slog.StringValue(u.String()) }

// MarshalText returns String.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
