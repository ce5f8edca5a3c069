package dispatch

import (
	"iter"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// terms define what a hook may get now.
type terms struct {
	now  time.Time
	mode mode

	left func(*item) time.Duration // rest of the time of the oldest delivery; nil: unlimited
	late Reason                    // fate of a delivery whose time is up

	untried time.Time // when a probe may take a head that was not tried
	tried   time.Time // when a probe may take a tried head
	gentle  bool      // take the one refused least often, not least recently
	newest  bool      // take no untried head while the store may have a newer one
}

// mode is the way to find the next delivery.
type mode uint8

const (
	inOrder  mode = iota // the one that has been ready for longest
	asProbe              // a head that shows whether the hook works
	atOnce               // any, whatever it waits for
	onlyLate             // only one whose time is up
)

// next hands out a delivery that may go under the terms. If it is nil, at is when there
// may be one; zero: time alone brings none.
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

// probe hands out an item that is due for a decision, or else the head for the probe. at
// is when another one may go.
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

// take hands out an item that is ready or waiting.
func (w *window) take(it *item) {
	w.agenda.take(it)
	if newestUntried(w.agenda.schedule.all()) == nil {
		w.tail.scout = w.tail.open // another one is next
	}
}

// firstDoubted returns the item that has waited longest for a decision, nil if there is
// none.
func firstDoubted(items []*item) (first *item) {
	for _, it := range items {
		if it.doubted && (first == nil || it.at.Before(first.at)) {
			first = it
		}
	}
	return first
}

// newestUntried returns the newest head without an attempt, nil if there is none.
func newestUntried(items iter.Seq[*item]) (newest *item) {
	for it := range items {
		if it.state == ready && it.attempt == 0 && (newest == nil || state.Compare(it.event, newest.event) > 0) {
			newest = it
		}
	}
	return newest
}

// leastTried returns the head to retry: the one tried least recently, or, if gentle, the
// one of those refused least often.
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

// soonest returns the earlier of two times; zero means none.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
