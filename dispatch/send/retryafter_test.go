package send

import (
	"testing"
	"time"
)

func TestParseRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, in string
		want     time.Duration
		ok       bool
	}{
		{"seconds", "120", 2 * time.Minute, true},
		{"zero", "0", 0, true},
		{"date", "Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second, true},
		{"date of RFC 850", "Monday, 23-Nov-26 12:01:00 GMT", time.Minute, true},
		{"date of asctime", "Mon Nov 23 12:01:00 2026", time.Minute, true},
		{"past", "Mon, 23 Nov 2026 11:00:00 GMT", 0, true},
		{"more than an int", "99999999999999999999999", 1 << 31 * time.Second, true},
		{"none", "", 0, false},
		{"negative", "-1", 0, false},
		{"fraction", "1.5", 0, false},
		{"words", "soon", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseRetryAfter(tt.in, now)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %s, %v, want %s, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
