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

// StoredReasons returns the reasons with which dead deliveries are stored: all but that of a
// suspended hook, whose deliveries are only counted.
func StoredReasons() []string {
	var names []string
	for r := ReasonNone + 1; r <= ReasonSwitchedOff; r++ {
		if r != ReasonSuspended {
			names = append(names, r.String())
		}
	}
	return names
}

// reasonOf returns the reason for deliveries of a refused hook.
func reasonOf(r hook.Refusal) Reason {
	switch r {
	case hook.BadURL:
		return ReasonBadURL
	case hook.BadHeaders:
		return ReasonBadHeaders
	case hook.BadRow:
		return ReasonBadRow
	default:
		return ReasonNone
	}
}

// String returns the reason as a metric label.
func (r Reason) String() string {
	switch r {
	case ReasonBadURL:
		return hook.BadURL.String()
	case ReasonBadHeaders:
		return hook.BadHeaders.String()
	case ReasonBlocked:
		return "blocked"
	case ReasonRejected:
		return "rejected"
	case ReasonExhausted:
		return "exhausted"
	case ReasonGone:
		return "gone"
	case ReasonBadSecret:
		return "bad_secret"
	case ReasonSuspended:
		return "suspended"
	case ReasonUnstorable:
		return state.ReasonUnstorable
	case ReasonBadRow:
		return hook.BadRow.String()
	case ReasonSwitchedOff:
		return "switched_off"
	default:
		return "none"
	}
}

// remedy says what a person must do about it.
func (r Reason) remedy() string {
	switch r {
	case ReasonBadURL:
		return hook.BadURL.Remedy()
	case ReasonBadHeaders:
		return hook.BadHeaders.Remedy()
	case ReasonBlocked:
		return "change the hook's url to an allowed address, or allow the address in HOOKTAIL_EGRESS"
	case ReasonRejected:
		return "make the receiver accept this event"
	case ReasonExhausted:
		return "repair the receiver, or raise HOOKTAIL_RETRY_FOR or HOOKTAIL_MAX_ATTEMPTS"
	case ReasonGone:
		return "deactivate the hook, and activate it when its receiver is back"
	case ReasonBadSecret:
		return "set HOOKTAIL_SECRET_KEY to the key that encrypted the secret, or set another secret with `hooktail hooks secret`; then redrive"
	case ReasonSuspended:
		return "repair the receiver, or raise HOOKTAIL_PARK_MAX_BYTES; then resume the hook and backfill it"
	case ReasonUnstorable:
		return "remove the constraint or trigger on the table parked that refuses it, or make the row smaller; then backfill the hook"
	case ReasonBadRow:
		return hook.BadRow.Remedy()
	case ReasonSwitchedOff:
		return "activate the hook, then redrive"
	default:
		return ""
	}
}
