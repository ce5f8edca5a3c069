package relay

import (
	"testing"
	"time"
)

// TestStreamLag: what is known to have been read counts, and a message that does
// not come back.
func TestStreamLag(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for _, test := range []struct {
		name string
		beat *heartbeat
		want time.Duration // at least, and little more
	}{
		{"nothing was read yet", &heartbeat{began: ago(time.Minute), sent: ago(time.Minute)}, time.Minute},
		{"catching up on the first connection", &heartbeat{began: ago(time.Minute), sent: ago(5 * time.Second), commit: ago(time.Hour)}, time.Hour},
		{"quiet, all came back", &heartbeat{began: ago(time.Hour), sent: time.Unix(1, 0), back: time.Unix(1, 0), commit: ago(time.Hour), trip: time.Millisecond}, time.Millisecond},
		{"one is under way", &heartbeat{sent: ago(time.Second), back: ago(6 * time.Second), commit: ago(time.Hour)}, 6 * time.Second},
		{"one is under way behind commits", &heartbeat{sent: ago(50 * time.Second), back: ago(55 * time.Second), commit: ago(20 * time.Second)}, 20 * time.Second},
		{"the database's clock is ahead", &heartbeat{sent: ago(time.Second), commit: ago(-time.Hour)}, 0},
		{"the clock was set back", &heartbeat{sent: ago(time.Hour), back: ago(time.Minute)}, time.Minute},
	} {
		if got := test.beat.lag(); got < test.want || got > test.want+10*time.Second {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
