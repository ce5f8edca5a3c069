package dispatch

import (
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Reason says why a delivery is dead. Its String is stable:
// it is logged, counted and stored.
type Reason uint8

// The reasons.
const (
	ReasonNone        Reason = iota
	ReasonBadURL             // the hook's url cannot be used
	ReasonBadHeaders         // the hook's headers cannot be used
	ReasonBlocked            // the address is forbidden by the egress policy
	ReasonRejected           // the receiver will not have this event: 400, 413, 414, 415, 422
	ReasonExhausted          // attempts or time are used up
	ReasonGone               // the receiver answered 410
	ReasonBadSecret          // the hook's signing secret cannot be opened
	ReasonSuspended          // the hook's parked deliveries take more space than they may
	ReasonUnstorable         // the store refuses the delivery's body
	ReasonBadRow             // the hook's row cannot be read
	ReasonSwitchedOff        // the hook was switched off for longer than a delivery is retried
)

// reasonOf is why what a refused hook was to get is dead.
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

// String is the reason as a metric label.
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

// remedy says what a person has to do about it.
func (r Reason) remedy() string {
	switch r {
	case ReasonBadURL:
		return hook.BadURL.Remedy()
	case ReasonBadHeaders:
		return hook.BadHeaders.Remedy()
	case ReasonBlocked:
		return "let the hook's url point to an allowed address, or allow it in HOOKTAIL_EGRESS"
	case ReasonRejected:
		return "let the receiver accept this event"
	case ReasonExhausted:
		return "repair the receiver, or raise HOOKTAIL_RETRY_FOR or HOOKTAIL_MAX_ATTEMPTS"
	case ReasonGone:
		return "switch the hook off, and on once its receiver is there again"
	case ReasonBadSecret:
		return "give HOOKTAIL_SECRET_KEY the key that sealed the secret, or set another one with `hooktail hooks secret`; then redrive"
	case ReasonSuspended:
		return "repair the receiver, or raise HOOKTAIL_PARK_MAX_BYTES; then resume the hook and backfill it"
	case ReasonUnstorable:
		return "remove the constraint or trigger that refuses it from the table parked, or make the row smaller; then backfill the hook"
	case ReasonBadRow:
		return hook.BadRow.Remedy()
	case ReasonSwitchedOff:
		return "switch the hook on, then redrive"
	default:
		return ""
	}
}
