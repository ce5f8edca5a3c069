package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
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

// failed notes a failed attempt.
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
