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
		date     string // of the answer
	}{
		{"seconds", "120", 2 * time.Minute, true, ""},
		{"zero", "0", 0, true, ""},
		{"date", "Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second, true, ""},
		{"date of RFC 850", "Monday, 23-Nov-26 12:01:00 GMT", time.Minute, true, ""},
		{"date of asctime", "Mon Nov 23 12:01:00 2026", time.Minute, true, ""},
		{"past", "Mon, 23 Nov 2026 11:00:00 GMT", 0, true, ""},
		{"more than an int", "99999999999999999999999", 1 << 31 * time.Second, true, ""},
		{"none", "", 0, false, ""},
		{"negative", "-1", 0, false, ""},
		{"fraction", "1.5", 2 * time.Second, true, ""},
		{"fraction below 1", "0.493", time.Second, true, ""},
		{"fraction of nothing", "2.000", 2 * time.Second, true, ""},
		{"fraction without an end", "3.", 3 * time.Second, true, ""},
		{"more than an int, and a fraction", "99999999999999999999999.9", 1 << 31 * time.Second, true, ""},
		{"fraction alone", ".5", 0, false, ""},
		{"two points", "1.2.3", 0, false, ""},
		{"exponent", "1e3", 0, false, ""},
		{"two values", "1, 2", 0, false, ""},
		{"date by a clock ahead of ours", "Mon, 23 Nov 2026 13:00:30 GMT", 30 * time.Second, true, "Mon, 23 Nov 2026 13:00:00 GMT"},
		{"date by a clock behind ours", "Mon, 23 Nov 2026 11:00:30 GMT", 30 * time.Second, true, "Mon, 23 Nov 2026 11:00:00 GMT"},
		{"date of an answer without a usable date", "Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second, true, "yesterday"},
		{"words", "soon", 0, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseRetryAfter(tt.in, tt.date, now)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %s, %v, want %s, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}
