package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// From these values on, a delivery is held: its project no longer waits for it.
const (
	heldAttempts = 5
	heldFor      = time.Minute
)

// trial is the history of a delivery that has failed. The lane's mu guards it.
type trial struct {
	result  string    // result of the last attempt, as a metric label
	status  int       // status of its answer; 0: none
	denied  int       // answers that are about the event, see isRejection
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
func (d *delivery) fails(o send.Outcome, spared bool) {
	if d.trial == nil {
		d.trial = &trial{}
	}
	d.trial.result, d.trial.status = o.Result.String(), o.Status
	if spared {
		d.trial.spared++
	}
	if isRejection(o.Status) {
		d.trial.denied++
	}
}

// tries returns the delivery's trial; the zero trial if it has not failed.
func (d *delivery) tries() trial {
	if d.trial == nil {
		return trial{}
	}
	return *d.trial
}

// counted returns the number of attempts that count, including the present one.
func (d *delivery) counted() int { return d.attempt - d.tries().spared }

// strikes returns the number of failures for which the hook is not to blame.
func (d *delivery) strikes() int { return d.tries().refused }
