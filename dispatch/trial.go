package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// From these values on, an item is held: its project no longer waits for it.
const (
	heldAttempts = 5
	heldFor      = time.Minute
)

// trial is the history of an item that has failed. The lane's mu guards it.
type trial struct {
	result  string    // result of the last attempt, as a metric label
	status  int       // status of its answer; 0: none
	spared  int       // attempts that do not count, since our own network was down
	signs   int       // latest attempts for which it is unknown whether it was
	signed  time.Time // failure of the last of them
	tried   time.Time // failure of the last attempt
	refused int       // attempts that failed while the hook was not failing
	since   time.Time // failure of the first of them; zero: none
	due     time.Time // when the next attempt is due, if the hook works
	worked  int       // successes of the hook after a failed attempt
}

// fails records the outcome of a failed attempt.
func (it *item) fails(o send.Outcome, spared bool) {
	if it.trial == nil {
		it.trial = &trial{}
	}
	it.trial.result, it.trial.status = o.Result.String(), o.Status
	if spared {
		it.trial.spared++
	}
}

// counted returns the number of attempts that count, including the present one.
func (it *item) counted() int {
	if it.trial == nil {
		return it.attempt
	}
	return it.attempt - it.trial.spared
}

// strikes returns the number of failures for which the hook is not to blame.
func (it *item) strikes() int {
	if it.trial == nil {
		return 0
	}
	return it.trial.refused
}

// failed records a failed attempt.
func (t *trial) failed(d delay) {
	t.tried = d.now
	if d.spared {
		return
	}
	t.refused++
	if t.since.IsZero() {
		t.since = d.now
	}
}
