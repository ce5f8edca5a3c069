package relay

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
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

// TestHeartbeatsOfOthersDoNotCount: instances that share a database have clocks of their own.
func TestHeartbeatsOfOthersDoNotCount(t *testing.T) {
	t.Parallel()
	for _, skew := range []time.Duration{-time.Hour, 0, time.Hour} {
		mine, other := newHeartbeat(nil, 0, nil), newHeartbeat(nil, 0, nil)
		now := time.Now()
		mine.away = []time.Time{now}
		mine.received(other.message(now.Add(skew)))
		if _, ok := mine.age(); ok || mine.missing() == 0 || mine.trip != 0 {
			t.Errorf("clock of the other at %+v: its heartbeat counts: round trip %s, missing %s", skew, mine.trip, mine.missing())
		}
		mine.received(mine.message(now))
		if _, ok := mine.age(); !ok || mine.missing() != 0 || mine.trip < 0 || mine.trip > time.Minute {
			t.Errorf("clock of the other at %+v: its own heartbeat does not count: round trip %s, missing %s", skew, mine.trip, mine.missing())
		}
	}
}

// TestAnotherHooktailIsNoticed: by its heartbeats, which go on after those of an earlier leader have ended.
func TestAnotherHooktailIsNoticed(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	mine, other := newHeartbeat(nil, 0, slog.New(slog.NewTextHandler(&lines, nil))), newHeartbeat(nil, 0, nil)
	others := func(n int) {
		for range n {
			mine.received(other.message(time.Now()))
		}
	}
	others(10) // of the leader before
	mine.received(mine.message(time.Now()))
	others(2) // of one that was frozen
	if text := lines.String(); text != "" {
		t.Errorf("an earlier leader is taken for another hooktail: %s", text)
	}
	others(10)
	if n := strings.Count(lines.String(), "Another hooktail"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, &lines)
	}
}

// TestReadinessSaysHowLateTheStreamIs: also a stream that has not caught up since its start.
func TestReadinessSaysHowLateTheStreamIs(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	streaming := cdc.Stats{Connected: true, LastMessage: time.Now()}
	silent := cdc.Stats{Connected: true, LastMessage: ago(time.Hour)}
	held := cdc.Stats{Connected: true, Held: true, LastMessage: ago(time.Hour)}
	for _, test := range []struct {
		name  string
		stats cdc.Stats
		beat  *heartbeat
		want  string // "": ready
	}{
		{"no connection", cdc.Stats{Fault: errors.New("refused")}, &heartbeat{}, "no replication connection: refused"},
		{"just started", streaming, &heartbeat{began: ago(time.Second)}, "starting"},
		{"it flows", streaming, &heartbeat{began: ago(time.Hour), seen: ago(time.Second)}, ""},
		{"not written", streaming, &heartbeat{began: ago(time.Hour), seen: ago(time.Second), writeErr: errors.New("denied")}, "not be written to the database: denied"},
		{"catching up", streaming, &heartbeat{began: ago(time.Hour), seen: ago(time.Minute), away: []time.Time{ago(time.Minute)}}, "late: a heartbeat has been outstanding for 60 s"},
		{"catching up since the start", streaming, &heartbeat{began: ago(time.Minute), away: []time.Time{ago(time.Minute)}}, "late: a heartbeat has been outstanding for 60 s"},
		{"full since the start", held, &heartbeat{began: ago(time.Minute), away: []time.Time{ago(time.Minute)}}, "not reading"},
		{"not answered", streaming, &heartbeat{began: ago(time.Hour), seen: ago(time.Minute), sent: ago(time.Minute)}, "not be written to the database: no answer for 60 s"},
		{"silent", silent, &heartbeat{began: ago(time.Hour), seen: ago(time.Minute), away: []time.Time{ago(time.Minute)}}, "stale: no heartbeat has come back for 60 s"},
		{"silent since the start", silent, &heartbeat{began: ago(time.Minute), away: []time.Time{ago(time.Minute)}}, "stale: no heartbeat has come back for 60 s"},
	} {
		test.beat.every = beatEvery
		if got := fmt.Sprint(test.beat.ready(test.stats)); test.want == "" && got != "<nil>" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
