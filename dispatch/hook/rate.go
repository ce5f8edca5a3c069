package hook

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is the limit of a hook's requests. The zero Rate is no limit.
type Rate struct {
	Requests int
	Per      time.Duration // a second, a minute or an hour
}

// maxRequests is more than any receiver gets.
const maxRequests = 1_000_000

// ParseRate parses "10/s", "600/m" or "1000/h".
func ParseRate(text string) (Rate, error) {
	number, unit, _ := strings.Cut(text, "/")
	per, known := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	n, err := strconv.Atoi(number)
	if err != nil || !known || n < 1 || n > maxRequests || number[0] == '+' {
		return Rate{}, fmt.Errorf("%q is not a rate: use a number of requests per s, m or h, for example 10/s", text)
	}
	return Rate{Requests: n, Per: per}, nil
}

// PerSecond returns the requests per second.
func (r Rate) PerSecond() float64 { return float64(r.Requests) / r.Per.Seconds() }
