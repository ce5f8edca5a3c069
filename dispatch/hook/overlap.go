package hook

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Overlap remembers for a while what hooks that nobody has adopted would have got. Label
// Studio looks its hooks up at the end of a request, hooktail at the event's commit: where a
// hook is adopted in between, Label Studio does not send the event any more, and hooktail
// would not either. What is near enough to the adoption is sent therefore, and may come from
// both. A nil *Overlap remembers nothing. It is safe for concurrent use.
//
// It is memory alone: the slot's position does not wait for it.
type Overlap struct {
	o OverlapOptions

	mu      sync.Mutex
	kept    []keptEvent        // in the order in which they were rendered; guarded by mu
	bytes   int64              // of kept; guarded by mu
	cut     Moment             // of the newest that there was no room for; zero: none; guarded by mu
	adopted map[int64]adoption // by hook; guarded by mu
	pending bool               // some of adopted has not been taken from kept; guarded by mu
}

// OverlapOptions is what an Overlap needs.
type OverlapOptions struct {
	For      time.Duration // how long before its hook's adoption an event may have been committed
	MaxBytes int64
	Log      *slog.Logger
}

// Match is an event and a hook that is to get it.
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

// adoption is where in the stream a hook was adopted.
type adoption struct {
	Moment
	taken bool // what was kept for the hook has been
}

// NewOverlap is empty; nil if nothing is to be remembered.
func NewOverlap(o OverlapOptions) *Overlap {
	if o.For <= 0 {
		return nil
	}
	return &Overlap{o: o, adopted: make(map[int64]adoption)}
}

// Moment is a commit, by three clocks: by the database's when it was, by the own when it
// was read, and how late that was.
type Moment struct {
	Committed, Received time.Time
	Age                 time.Duration
}

func momentOf(e *mapping.Event) Moment { return Moment{e.Committed, e.Received, e.Age} }

// within reports whether m is at most d before the later moment. Where both were read as
// they were committed, either clock will do: the database's may be set meanwhile, and
// reading may stop.
func (m Moment) within(d time.Duration, later Moment) bool {
	between := later.Committed.Sub(m.Committed)
	if live := m.Age <= d && later.Age <= d; live {
		return later.Received.Sub(m.Received) <= d || between >= 0 && between <= d
	}
	return between <= d
}

// Hand says that these hooks were adopted or released in a transaction of that moment,
// before its own events and those of later ones are given to Keep. It reports whether any
// was adopted: then Take has something.
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
			continue
		}
		v.adopted[h.Hook] = adoption{Moment: at}
		v.pending, some = true, true
	}
	if some && v.cut.within(v.o.For, at) && !v.cut.Received.IsZero() {
		v.o.Log.Error("Adopted hooks may miss events that Label Studio did not send any more: there was no room to remember them",
			"hooks", len(handovers), "until", v.cut.Committed, "remedy", "raise HOOKTAIL_MEMORY before the next adoption; backfill the hooks")
	}
	return some
}

// Take is what was kept for hooks that have been adopted since, in order: it is sent ahead
// of what is newer.
func (v *Overlap) Take() []Match {
	if v == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.pending {
		return nil
	}
	v.pending = false
	var matches []Match
	rest := v.kept[:0]
	for _, k := range v.kept {
		k.targets = slices.DeleteFunc(k.targets, func(t Target) bool {
			a, ok := v.adopted[t.Hook]
			if !ok || a.taken {
				return false
			}
			if momentOf(k.event).within(v.o.For, a.Moment) {
				matches = append(matches, Match{Target: t.sent(), Event: k.event})
			}
			return true
		})
		if len(k.targets) == 0 {
			v.bytes -= k.bytes
			continue
		}
		rest = append(rest, k)
	}
	clear(v.kept[len(rest):])
	v.kept = rest
	for hook, a := range v.adopted {
		if !a.taken {
			a.taken = true
			v.adopted[hook] = a
		}
	}
	return matches
}

// Keep remembers the rendered event for those of the targets that are Kept. It returns the
// matches of those that have been adopted since the event was matched.
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
		if a, ok := v.adopted[t.Hook]; ok {
			if now.within(v.o.For, a.Moment) {
				matches = append(matches, Match{Target: t.sent(), Event: e})
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

// keptBytes is about the size of a Target.
const keptBytes = 48

// prune forgets what is too old, and the oldest where there is no room. It needs the lock.
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

// Whole reports whether there was room for all of the last For before now, by the own clock.
func (v *Overlap) Whole(now time.Time) bool {
	if v == nil {
		return true
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cut.Received.IsZero() || now.Sub(v.cut.Received) > v.o.For
}

// sent is the target as one that is sent to.
func (t Target) sent() Target {
	t.Kept = false
	return t
}
