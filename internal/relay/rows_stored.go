package relay

import (
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/status"
)

// UnknownState is the state of a hook for which the database records no other.
const UnknownState = "unknown"

// StoredHook returns the hook as recorded in the tables.
func StoredHook(hook *hook.Hook, s state.Setting, b state.Backlog) status.Hook {
	h := HookRow(hook)
	h.State, h.About = storedState(hook, s), StateOf(hook, s)
	h.Parked, h.Dead, h.Bytes, h.Oldest = b.Parked.Rows, b.Dead.Rows, b.Parked.Room(), b.Parked.Oldest.UTC()
	return h
}

// storedState returns the hook's state as far as the database records it.
func storedState(h *hook.Hook, s state.Setting) string {
	switch {
	case h.Refused == hook.BadRow:
		return dispatch.StateRefused.String()
	case !h.Served():
		return dispatch.StateInactive.String()
	case h.IsRefused():
		return dispatch.StateRefused.String()
	case !s.Suspended.IsZero():
		return dispatch.StateSuspended.String()
	case s.Paused:
		return dispatch.StatePaused.String()
	default:
		return UnknownState
	}
}

// StateOf describes whether the hook is served and, if not, why.
func StateOf(h *hook.Hook, s state.Setting) string {
	state := "active"
	switch {
	case h.IsRefused():
		state = "refused: " + h.Fault
	case h.Adopted && h.Active:
		state = "adopted, active"
	case h.Adopted:
		state = "adopted"
	case !h.Active:
		state = "off"
	}
	if s.Paused {
		state += ", paused"
	}
	if !s.Suspended.IsZero() {
		state += ", suspended"
	}
	return state
}
