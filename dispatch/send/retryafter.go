package send

import (
	"net/http"
	"strconv"
	"time"
)

// parseRetryAfter parses the value of a Retry-After field: seconds, or a date (RFC 9110
// 10.2.3). A date in the past is 0.
func parseRetryAfter(value string, now time.Time) (time.Duration, bool) {
	const most = 1 << 31 // seconds; far beyond any bound, without overflow
	if value == "" {
		return 0, false
	}
	if isDigits(value) {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil { // out of range
			seconds = most
		}
		return time.Duration(min(seconds, most)) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
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
