package send

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

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

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
