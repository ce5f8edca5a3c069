package dispatch

import (
	"iter"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// terms say what a hook may get now.
type terms struct {
	now  time.Time
	mode mode

	left func(*item) time.Duration // of the time of the oldest delivery; nil: that does not matter
	late Reason                    // fate of a delivery that has no time left

	untried time.Time // from when on a probe may take a head that was not tried
	tried   time.Time // from when on a probe may take one that was
	gentle  bool      // of those the one that has been refused least often, instead of least recently
	newest  bool      // none that was not tried is taken while the store may have a newer one
}

// mode is how the next delivery is found.
type mode uint8

const (
	inOrder  mode = iota // the one that has been ready for longest
	asProbe              // a head that shows whether the hook works
	atOnce               // any, whatever it waits for
	onlyLate             // one that has no time left
)

// next hands out a delivery that may go by the terms. If it is nil, at is when there may
// be one, as far as that is a matter of time; zero: it is not.
func (w *window) next(t terms) (it *item, at time.Time) {
	a := &w.agenda
	if t.left != nil {
		if it, at = w.expired(t); it != nil {
			return it, at
		}
	}
	switch t.mode {
	case onlyLate:
		return nil, at
	case asProbe:
		return w.probe(t, at)
	case atOnce:
		w.tail.hurried = w.tail.open
		a.releaseAll()
	case inOrder:
		a.release(t.now)
	}
	if it = a.schedule.next(); it == nil && len(a.waiting) > 0 {
		at = a.waiting[0].at
	}
	return it, at
}

// expired hands out the oldest delivery if its time is up, with that fate.
func (w *window) expired(t terms) (it *item, at time.Time) {
	it = w.agenda.schedule.oldest
	if it == nil || it.state != ready && it.state != waiting {
		return nil, at
	}
	if left := t.left(it); left > 0 {
		return nil, t.now.Add(left)
	}
	it.fate = t.late
	w.take(it)
	return it, at
}

// probe hands out what is to be decided on by now, or else the head to be the probe. at is
// when something else may go.
func (w *window) probe(t terms, at time.Time) (*item, time.Time) {
	if it := firstDoubted(w.agenda.waiting); it != nil {
		if !it.at.After(t.now) {
			w.take(it)
			return it, at
		}
		at = soonest(at, it.at)
	}
	it, from := newestUntried(w.agenda.schedule.all()), t.untried
	if it != nil && !from.After(t.now) && t.newest && w.tail.scout && w.tail.asked == nil {
		return nil, at // there may be a newer one: wants asks for it
	}
	if it == nil {
		it, from = leastTried(w.agenda.schedule.all(), t.gentle), t.tried
	}
	switch {
	case it == nil:
	case from.After(t.now):
		return nil, soonest(at, from)
	default:
		w.take(it)
	}
	return it, at
}

// take hands out an item that is ready or waits.
func (w *window) take(it *item) {
	w.agenda.take(it)
	if newestUntried(w.agenda.schedule.all()) == nil {
		w.tail.scout = w.tail.open // another one is the next
	}
}

// firstDoubted is the item that has waited for longest to be decided on, nil if there is
// none.
func firstDoubted(items []*item) (first *item) {
	for _, it := range items {
		if it.doubted && (first == nil || it.at.Before(first.at)) {
			first = it
		}
	}
	return first
}

// newestUntried is the newest head that no attempt was made at, nil if there is none.
func newestUntried(items iter.Seq[*item]) (newest *item) {
	for it := range items {
		if it.state == ready && it.attempt == 0 && (newest == nil || state.Compare(it.event, newest.event) > 0) {
			newest = it
		}
	}
	return newest
}

// leastTried is the head to try again: in turn the one that was tried least recently, or,
// gently, of those that have been refused least often the one that was.
func leastTried(items iter.Seq[*item], gentle bool) (best *item) {
	for it := range items {
		if (it.state == waiting && !it.doubted || it.state == ready && it.attempt > 0) && (best == nil || it.isBefore(best, gentle)) {
			best = it
		}
	}
	return best
}

func (it *item) isBefore(other *item, byRefusals bool) bool {
	var a, b trial
	if it.trial != nil {
		a = *it.trial
	}
	if other.trial != nil {
		b = *other.trial
	}
	if byRefusals && a.refused+a.worked != b.refused+b.worked {
		return a.refused+a.worked < b.refused+b.worked
	}
	return a.tried.Before(b.tried)
}

// soonest is the first of two times, of which zero is none.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
