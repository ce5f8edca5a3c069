package dispatch

import (
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Reason is the reason why a delivery is dead. Its String is stable: it is logged,
// counted and stored.
type Reason uint8

// Reasons of death.
const (
	ReasonNone        Reason = iota
	ReasonBadURL             // the hook's url cannot be used
	ReasonBadHeaders         // the hook's headers cannot be used
	ReasonBlocked            // the address is forbidden by the egress policy
	ReasonRejected           // the receiver does not accept this event: 400, 413, 414, 415, 422
	ReasonExhausted          // attempts or time are used up
	ReasonGone               // the receiver answered 410
	ReasonBadSecret          // the hook's signing secret cannot be decrypted
	ReasonSuspended          // the hook's parked deliveries have reached their bound
	ReasonUnstorable         // the store refuses the delivery's body
	ReasonBadRow             // the hook's row cannot be read
	ReasonSwitchedOff        // the hook was inactive for longer than a delivery is retried
)

// reasons has each reason's label, and what a person must do about it.
var reasons = [...]struct{ label, remedy string }{
	ReasonNone:        {"none", ""},
	ReasonBadURL:      {hook.BadURL.String(), hook.BadURL.Remedy()},
	ReasonBadHeaders:  {hook.BadHeaders.String(), hook.BadHeaders.Remedy()},
	ReasonBlocked:     {"blocked", "change the hook's url to an allowed address, or allow the address in HOOKTAIL_EGRESS"},
	ReasonRejected:    {"rejected", "make the receiver accept this event"},
	ReasonExhausted:   {"exhausted", "repair the receiver, or raise HOOKTAIL_RETRY_FOR or HOOKTAIL_MAX_ATTEMPTS"},
	ReasonGone:        {"gone", "deactivate the hook, and activate it when its receiver is back"},
	ReasonBadSecret:   {"bad_secret", "set HOOKTAIL_SECRET_KEY to the key that encrypted the secret, or set another secret with `hooktail hooks secret`; then redrive"},
	ReasonSuspended:   {"suspended", "repair the receiver, or raise HOOKTAIL_PARK_MAX_BYTES; then resume the hook and backfill it"},
	ReasonUnstorable:  {state.ReasonUnstorable, "remove the constraint or trigger on the table parked that refuses it, or make the row smaller; then backfill the hook"},
	ReasonBadRow:      {hook.BadRow.String(), hook.BadRow.Remedy()},
	ReasonSwitchedOff: {"switched_off", "activate the hook, then redrive"},
}

// String returns the reason as a metric label.
func (r Reason) String() string { return reasons[r].label }

func (r Reason) remedy() string { return reasons[r].remedy }

// StoredReasons returns the reasons with which dead deliveries are stored: all but that of a
// suspended hook, whose deliveries are only counted.
func StoredReasons() []string {
	var names []string
	for r := range reasons {
		if r := Reason(r); r != ReasonNone && r != ReasonSuspended {
			names = append(names, r.String())
		}
	}
	return names
}

// reasonOf returns the reason for deliveries of a refused hook.
func reasonOf(r hook.Refusal) Reason {
	return [...]Reason{hook.BadURL: ReasonBadURL, hook.BadHeaders: ReasonBadHeaders, hook.BadRow: ReasonBadRow}[r]
}
