package dispatch

import (
	"container/heap"
	"iter"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// terms define what a hook may get now.
type terms struct {
	now  time.Time
	mode mode

	left func(*delivery) time.Duration // rest of the time of the oldest delivery; nil: unlimited
	late Reason                        // fate of a delivery whose time is up

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
func (w *window) next(t terms) (d *delivery, at time.Time) {
	a := &w.agenda
	if t.left != nil {
		if d, at = w.expired(t); d != nil {
			return d, at
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
	if d = a.schedule.next(); d == nil && len(a.waiting) > 0 {
		at = a.waiting[0].at
	}
	return d, at
}

// expired hands out the oldest delivery if its time is up, with that fate.
func (w *window) expired(t terms) (d *delivery, at time.Time) {
	d = w.agenda.schedule.oldest
	if d == nil || d.state != ready && d.state != waiting {
		return nil, at
	}
	if left := t.left(d); left > 0 {
		return nil, t.now.Add(left)
	}
	d.fate = t.late
	w.handOut(d)
	return d, at
}

// probe hands out a delivery that is due for a decision, or else the head for the probe. at
// is when another one may go.
func (w *window) probe(t terms, at time.Time) (*delivery, time.Time) {
	if d := firstDoubted(w.agenda.waiting); d != nil {
		if !d.at.After(t.now) {
			w.handOut(d)
			return d, at
		}
		at = soonest(at, d.at)
	}
	d, from := newestUntried(w.agenda.schedule.all()), t.untried
	if d != nil && !from.After(t.now) && t.newest && w.tail.scout && w.tail.asked == nil {
		return nil, at // there may be a newer one: wants asks for it
	}
	if d == nil {
		d, from = leastTried(w.agenda.schedule.all(), t.gentle), t.tried
	}
	switch {
	case d == nil:
	case from.After(t.now):
		return nil, soonest(at, from)
	default:
		w.handOut(d)
	}
	return d, at
}

// handOut hands out a delivery that is ready or waiting.
func (w *window) handOut(d *delivery) {
	if d.state == waiting {
		heap.Remove(&w.agenda.waiting, d.place)
	}
	w.agenda.schedule.handOut(d)
	if newestUntried(w.agenda.schedule.all()) == nil {
		w.tail.scout = w.tail.open // another one is next
	}
}

// firstDoubted returns the delivery that has waited longest for a decision, nil if there is
// none.
func firstDoubted(deliveries []*delivery) (first *delivery) {
	for _, d := range deliveries {
		if d.doubted && (first == nil || d.at.Before(first.at)) {
			first = d
		}
	}
	return first
}

// newestUntried returns the newest head without an attempt, nil if there is none.
func newestUntried(deliveries iter.Seq[*delivery]) (newest *delivery) {
	for d := range deliveries {
		if d.state == ready && d.attempt == 0 && (newest == nil || state.Compare(d.event, newest.event) > 0) {
			newest = d
		}
	}
	return newest
}

// leastTried returns the head to retry: the one tried least recently, or, if gentle, the
// one of those refused least often.
func leastTried(deliveries iter.Seq[*delivery], gentle bool) (best *delivery) {
	for d := range deliveries {
		if (d.state == waiting && !d.doubted || d.state == ready && d.attempt > 0) && (best == nil || d.isBefore(best, gentle)) {
			best = d
		}
	}
	return best
}

func (d *delivery) isBefore(other *delivery, byRefusals bool) bool {
	a, b := d.tries(), other.tries()
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
