package hook

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// overlapEvent is the n-th event, committed and read at these times after the first.
func overlapEvent(n int, committed, received time.Duration) (m Match) {
	base := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := dispatchtest.Event(n, int64(n))
	e.Committed, e.Received, e.Age = base.Add(committed), base.Add(received), max(0, received-committed)
	return Match{Event: e}
}

func momentAt(committed, received time.Duration) Moment {
	return momentOf(overlapEvent(0, committed, received).Event)
}

func kept(hooks ...int64) (ts []Target) {
	for _, hook := range hooks {
		ts = append(ts, Target{Hook: hook, Action: "ANNOTATION_UPDATED", Payload: true, Kept: true})
	}
	return ts
}

// ordinals are the events of the matches of a hook.
func ordinals(t *testing.T, ms []Match, hook int64) (events []int) {
	t.Helper()
	for _, m := range ms {
		if m.Kept {
			t.Errorf("match of %d to hook %d is marked as kept", m.Event.ID.Ordinal, m.Hook)
		}
		if m.Hook == hook {
			events = append(events, m.Event.ID.Ordinal)
		}
	}
	return events
}

// TestOverlapSendsWhatIsNearTheAdoption, once, in order, and to the adopted hook alone.
func TestOverlapSendsWhatIsNearTheAdoption(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name   string
		events [][2]time.Duration // committed, received
		adopt  [2]time.Duration
		want   []int
	}{
		{"all near", [][2]time.Duration{{0, 0}, {s, s}, {2 * s, 2 * s}}, [2]time.Duration{3 * s, 3 * s}, []int{0, 1, 2}},
		{"the first is too old", [][2]time.Duration{{0, 0}, {5 * s, 5 * s}}, [2]time.Duration{11 * s, 11 * s}, []int{1}},
		{"on the bound", [][2]time.Duration{{0, 0}}, [2]time.Duration{10 * s, 10 * s}, []int{0}},
		{"reading stood still", [][2]time.Duration{{0, 0}}, [2]time.Duration{5 * s, 60 * s}, []int{0}},
		{"the database's clock was set forward", [][2]time.Duration{{0, 0}}, [2]time.Duration{3600 * s, 3 * s}, []int{0}},
		{"the database's clock was set back", [][2]time.Duration{{0, 0}}, [2]time.Duration{-3600 * s, 3 * s}, []int{0}},
		{"catching up, an hour apart", [][2]time.Duration{{0, 7200 * s}}, [2]time.Duration{3600 * s, 7200 * s}, nil},
		{"catching up, near", [][2]time.Duration{{3595 * s, 7200 * s}}, [2]time.Duration{3600 * s, 7200 * s}, []int{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := NewOverlap(OverlapOptions{For: 10 * s, MaxBytes: 1 << 20, Log: slog.New(slog.DiscardHandler)})
			for n, at := range tt.events {
				if ds := v.Keep(overlapEvent(n, at[0], at[1]).Event, kept(1, 2)); len(ds) > 0 {
					t.Errorf("event %d is delivered before the adoption", n)
				}
			}
			if !v.Hand([]Handover{{1, true}}, momentAt(tt.adopt[0], tt.adopt[1])) {
				t.Error("no hook was adopted")
			}
			ds := v.Take()
			if got := ordinals(t, ds, 1); !slices.Equal(got, tt.want) {
				t.Errorf("hook 1 gets %v, want %v", got, tt.want)
			}
			if got := ordinals(t, ds, 2); len(got) > 0 {
				t.Errorf("hook 2 was not adopted, and gets %v", got)
			}
			if again := v.Take(); len(again) > 0 {
				t.Errorf("%d deliveries are made twice", len(again))
			}
		})
	}
}

// What was matched before the adoption, and is rendered after it, is sent; after a release
// it is remembered again.
func TestOverlapSendsWhatWasOnItsWay(t *testing.T) {
	v := NewOverlap(OverlapOptions{For: 10 * time.Second, MaxBytes: 1 << 20, Log: slog.New(slog.DiscardHandler)})
	v.Hand([]Handover{{1, true}}, momentAt(time.Second, time.Second))
	if got := ordinals(t, v.Keep(overlapEvent(1, 0, 0).Event, kept(1, 2)), 1); !slices.Equal(got, []int{1}) {
		t.Errorf("hook 1 gets %v", got)
	}
	v.Hand([]Handover{{1, false}}, momentAt(2*time.Second, 2*time.Second))
	if ds := v.Keep(overlapEvent(2, 3*time.Second, 3*time.Second).Event, kept(1)); len(ds) > 0 {
		t.Error("a hook that was released is sent to")
	}
	v.Hand([]Handover{{2, true}, {1, true}}, momentAt(4*time.Second, 4*time.Second))
	ds := v.Take()
	if got := ordinals(t, ds, 2); !slices.Equal(got, []int{1}) {
		t.Errorf("hook 2 gets %v", got)
	}
	if got := ordinals(t, ds, 1); !slices.Equal(got, []int{2}) {
		t.Errorf("hook 1 gets %v after it was adopted again", got)
	}
}

// What there is no room for is forgotten, the oldest first, and that is said to whoever
// adopts.
func TestOverlapIsBounded(t *testing.T) {
	var log dispatchtest.Log
	v := NewOverlap(OverlapOptions{For: 10 * time.Second, MaxBytes: 10_000, Log: log.Logger()})
	for n := range 1000 {
		at := time.Duration(n) * time.Millisecond
		v.Keep(overlapEvent(n, at, at).Event, kept(1))
		if v.bytes > 10_000 {
			t.Fatalf("%d bytes are held", v.bytes)
		}
	}
	now := time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)
	if v.Whole(now) || !v.Whole(now.Add(11*time.Second)) {
		t.Error("that something was forgotten is not known, or for too long")
	}
	v.Hand([]Handover{{1, true}}, momentAt(time.Second, time.Second))
	got := ordinals(t, v.Take(), 1)
	if len(got) < 10 || got[len(got)-1] != 999 {
		t.Errorf("hook 1 gets %v", got)
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("what is missing is not said:\n%s", &log)
	}
	if v.bytes != 0 || len(v.kept) != 0 {
		t.Errorf("%d bytes of %d events are left", v.bytes, len(v.kept))
	}
}

func TestNoOverlap(t *testing.T) {
	v := NewOverlap(OverlapOptions{})
	if v != nil || v.Hand([]Handover{{1, true}}, Moment{}) || v.Take() != nil || v.Keep(dispatchtest.Event(1, 1), kept(1)) != nil || !v.Whole(time.Now()) {
		t.Error("a nil Overlap remembers something")
	}
}
