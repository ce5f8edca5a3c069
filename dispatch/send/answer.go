package send

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// describeRedirect describes the target of an answer's Location without secrets: scheme,
// host and port, and how the rest differs from the hook's own URL.
func describeRedirect(from *url.URL, location string) string {
	if location == "" {
		return ""
	}
	to, err := from.Parse(location)
	if err != nil || to.Host == "" {
		return "no usable URL"
	}
	const longest = 300
	origin := to.Scheme + "://" + to.Host
	if len(origin) > longest {
		return "no usable URL"
	}
	same, path := to.RawQuery == from.RawQuery, cmp.Or(from.EscapedPath(), "/") // as requested
	switch {
	case same && to.EscapedPath() == path:
		return origin + " (the same path)"
	case same && to.EscapedPath() == path+"/":
		return origin + " (the same path with a trailing slash)"
	default:
		return origin + " (another path or query)"
	}
}

// parseRetryAfter parses the value of a Retry-After field: seconds, or a date (RFC 9110
// 10.2.3). Some servers send fractions of seconds, which are rounded up. date is the
// answer's Date field: a date is compared with the clock that made it, if it is known. A
// date in the past is 0.
func parseRetryAfter(value, date string, now time.Time) (time.Duration, bool) {
	const most = 1 << 31 // seconds; far beyond any bound, without overflow
	if whole, fraction, _ := strings.Cut(value, "."); whole != "" && isDigits(whole+fraction) {
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil { // out of range
			seconds = most
		}
		if strings.Trim(fraction, "0") != "" {
			seconds = min(seconds, most) + 1
		}
		return time.Duration(min(seconds, most)) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	if theirs, err := http.ParseTime(date); err == nil {
		now = theirs
	}
	return min(max(0, at.Sub(now)), most*time.Second), true
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }
