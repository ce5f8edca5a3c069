package hook

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Overlap remembers recent events of hooks that are not adopted. Label Studio looks up
// its hooks at the end of a request, hooktail at the event's commit: if a hook is adopted
// in between, neither would send the event. So hooktail sends recent events on adoption;
// some of them may come from both. A nil *Overlap remembers nothing. It is safe for
// concurrent use.
//
// It is only in memory: the slot's position does not wait for it.
type Overlap struct {
	o OverlapOptions

	mu      sync.Mutex
	kept    []keptEvent      // in the order of rendering; guarded by mu
	bytes   int64            // size of kept; guarded by mu
	cut     Moment           // newest event dropped for lack of room; zero: none; guarded by mu
	adopted map[int64]Moment // by hook; guarded by mu
	due     map[int64]Moment // those whose events are still in kept; guarded by mu
}

// OverlapOptions configures an Overlap.
type OverlapOptions struct {
	For      time.Duration // longest time between an event's commit and its hook's adoption
	MaxBytes int64
	Log      *slog.Logger
}

// Match is an event and a hook that gets it.
type Match struct {
	Target
	Event *mapping.Event
}

// keptEvent is an event with the hooks that may be adopted.
type keptEvent struct {
	event   *mapping.Event
	targets []Target
	bytes   int64
}

// NewOverlap returns an empty Overlap; nil if nothing is to be remembered.
func NewOverlap(o OverlapOptions) *Overlap {
	if o.For <= 0 {
		return nil
	}
	return &Overlap{o: o, adopted: make(map[int64]Moment), due: make(map[int64]Moment)}
}

// Moment is a commit by several clocks: its time by the database's clock, the local time
// when it was read, and the delay of reading.
type Moment struct {
	Committed, Received time.Time
	Age                 time.Duration
}

func momentOf(e *mapping.Event) Moment { return Moment{e.Committed, e.Received, e.Age} }

// within reports whether m is at most d before the later moment, by either clock. The
// database's clock may be changed meanwhile, and reading may pause.
func (m Moment) within(d time.Duration, later Moment) bool {
	between := later.Committed.Sub(m.Committed)
	if live := m.Age <= d && later.Age <= d; live {
		return later.Received.Sub(m.Received) <= d || between >= 0 && between <= d
	}
	return between <= d
}

// Hand records that these hooks were adopted or released in a transaction at that moment.
// Call it before Keep gets the transaction's own events and later ones. It reports
// whether any hook was adopted: then Take has events.
func (v *Overlap) Hand(handovers []Handover, at Moment) bool {
	if v == nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	some := false
	for _, h := range handovers {
		if !h.Adopted {
			delete(v.adopted, h.Hook)
			delete(v.due, h.Hook)
			continue
		}
		v.adopted[h.Hook], v.due[h.Hook], some = at, at, true
	}
	if some && v.cut.within(v.o.For, at) && !v.cut.Received.IsZero() {
		v.o.Log.Error("Adopted hooks may miss events that Label Studio no longer sent: there was no room to remember them",
			"hooks", len(handovers), "until", v.cut.Committed, "remedy", "raise HOOKTAIL_MEMORY before the next adoption; backfill the hooks")
	}
	return some
}

// Take returns the events of hooks adopted since the last call, in order. They are sent
// before newer ones.
func (v *Overlap) Take() []Match {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.due) == 0 {
		return nil
	}
	var matches []Match
	rest := v.kept[:0]
	for _, k := range v.kept {
		k.targets = slices.DeleteFunc(k.targets, func(t Target) bool {
			adopted, ok := v.due[t.Hook]
			if ok && momentOf(k.event).within(v.o.For, adopted) {
				matches = append(matches, Match{Target: t, Event: k.event})
			}
			return ok
		})
		if len(k.targets) == 0 {
			v.bytes -= k.bytes
			continue
		}
		rest = append(rest, k)
	}
	clear(v.kept[len(rest):])
	v.kept = rest
	clear(v.due)
	return matches
}

// Keep remembers the rendered event for the targets that are Kept. It returns the matches
// of hooks adopted since the event was matched.
func (v *Overlap) Keep(e *mapping.Event, targets []Target) []Match {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	k, now := keptEvent{event: e}, momentOf(e)
	var matches []Match
	for _, t := range targets {
		if !t.Kept {
			continue
		}
		t.Kept = false // if it is adopted
		if adopted, ok := v.adopted[t.Hook]; ok {
			if now.within(v.o.For, adopted) {
				matches = append(matches, Match{Target: t, Event: e})
			}
			continue
		}
		k.targets = append(k.targets, t)
	}
	if len(k.targets) > 0 {
		k.bytes = int64(e.Bytes() + keptBytes*len(k.targets))
		v.kept, v.bytes = append(v.kept, k), v.bytes+k.bytes
	}
	v.prune(now)
	return matches
}

// keptBytes is the approximate size of a Target.
const keptBytes = 48

// prune drops what is too old, and the oldest events if there is no room. The caller
// holds the lock.
func (v *Overlap) prune(now Moment) {
	n := 0
	for ; n < len(v.kept); n++ {
		old := momentOf(v.kept[n].event)
		if old.within(v.o.For, now) {
			if v.bytes <= v.o.MaxBytes {
				break
			}
			v.cut = old
		}
		v.bytes -= v.kept[n].bytes
		v.kept[n] = keptEvent{}
	}
	v.kept = v.kept[n:]
}

// Whole reports whether all events of the last For before now, by the local clock, had
// room.
func (v *Overlap) Whole(now time.Time) bool {
	if v == nil {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cut.Received.IsZero() || now.Sub(v.cut.Received) > v.o.For
}
