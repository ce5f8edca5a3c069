package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// From when on an item is held: its project does not wait for it any more.
const (
	heldAttempts = 5
	heldFor      = time.Minute
)

// trial is what is known of an item that has failed. The lane's mu guards it.
type trial struct {
	result  string    // of the last attempt, as a metric label
	status  int       // of its answer; 0: there was none
	spared  int       // attempts that do not count, since the own network was gone
	signs   int       // latest attempts of which it is not known whether it was
	signed  time.Time // when the last of those failed
	tried   time.Time // when the last attempt failed
	refused int       // attempts that failed while the hook was not failing
	since   time.Time // when the first of those failed; zero: none did
	due     time.Time // when the next attempt is due, if the hook is well
	worked  int       // how often the hook worked after an attempt had failed
}

// fails notes the outcome of a failed attempt.
func (it *item) fails(o send.Outcome, spared bool) {
	if it.trial == nil {
		it.trial = &trial{}
	}
	it.trial.result, it.trial.status = o.Result.String(), o.Status
	if spared {
		it.trial.spared++
	}
}

// counted is how many attempts count, the present one included.
func (it *item) counted() int {
	if it.trial == nil {
		return it.attempt
	}
	return it.attempt - it.trial.spared
}

// strikes is how many failures there are for which the hook cannot be blamed.
func (it *item) strikes() int {
	if it.trial == nil {
		return 0
	}
	return it.trial.refused
}

// failed notes a failed attempt, of which the item knows, at one that was handed out.
func (w *window) failed(it *item, failing bool, now time.Time) {
	t := it.trial
	t.tried = now
	if !failing {
		t.refused++
		if t.since.IsZero() {
			t.since = now
		}
	}
	w.blamed[it] = struct{}{}
}

// ripen lets the item's project pass it if it has been refused for long enough, and
// otherwise brings its next attempt forward to when it has.
func (w *window) ripen(it *item, now time.Time) {
	if it.held || it.doubted || it.state != waiting || it.strikes() < heldAttempts {
		return
	}
	if ripe := it.trial.since.Add(heldFor); !now.Before(ripe) {
		w.schedule.pass(it)
	} else if it.at.After(ripe) {
		it.at, it.trial.due = ripe, ripe
	}
}

// succeeded notes that the hook has worked: what has failed since it worked before may
// have failed for the hook's sake, and need not wait for as long as it was to. Its
// back-off begins anew, and grows with how often that has been so.
func (w *window) succeeded(now time.Time, backoff func(n int) time.Duration) {
	for it := range w.blamed {
		if it.state != waiting {
			continue
		}
		it.trial.worked++
		it.at = it.trial.due
		if at := now.Add(backoff(it.trial.worked)); at.Before(it.at) {
			it.at = at
		}
		heap.Fix(&w.waiting, it.place)
	}
	clear(w.blamed)
}

// take hands out an item that is ready or waits.
func (w *window) take(it *item) {
	if it.state == waiting {
		heap.Remove(&w.waiting, it.place)
	}
	w.schedule.take(it)
	w.scout = w.tail // another one is the next
}

// untried is the newest head that no attempt was made at, nil if there is none.
func (w *window) untried() (newest *item) {
	for it := range w.schedule.all() {
		if it.state == ready && it.attempt == 0 && (newest == nil || state.Compare(it.event, newest.event) > 0) {
			newest = it
		}
	}
	return newest
}

// tried is the head to try again: in turn the one that was tried least recently, or of
// those that have been refused least often the one that was.
func (w *window) tried(byRefusals bool) (best *item) {
	for it := range w.schedule.all() {
		if (it.state == waiting && !it.doubted || it.state == ready && it.attempt > 0) && (best == nil || it.isBefore(best, byRefusals)) {
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
