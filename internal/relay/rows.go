package relay

import (
	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// UnreadableRows returns the unreadable rows of the hooks' tables.
func UnreadableRows(hooks *hook.Set) (rows []status.UnreadableRow) {
	for _, row := range hooks.Unreadable() {
		rows = append(rows, status.UnreadableRow{Table: string(row.Table), Key: row.Key, Fault: row.Fault})
	}
	return rows
}

// HookRow returns the content of the hook's row.
func HookRow(hook *hook.Hook) status.Hook {
	h := status.Hook{
		ID: hook.ID, Organization: hook.Organization, Project: hook.Project, URL: hook.URL.String(), Headers: []string{},
		AllActions: hook.AllActions, Actions: []string{}, Payload: hook.SendPayload, Active: hook.Active, Adopted: hook.Adopted,
	}
	h.Actions = append(h.Actions, names(hook.Actions)...)
	if c := hook.Choice; c != nil {
		h.Added, h.Removed, h.Filter, h.AtMost, h.Format = names(c.Added), names(c.Removed), c.Filter, c.Rate, c.Format
		h.ChoiceFaults = c.Faults
	}
	return h
}

func names(actions []mapping.Action) (all []string) {
	for _, action := range actions {
		all = append(all, string(action))
	}
	return all
}

// DescribeDisk adds the WAL that the database retains for the slot.
func DescribeDisk(s *status.Stream, disk cdc.Disk, confirmed cdc.LSN) {
	lag := int64(disk.End - min(confirmed, disk.End))
	s.LagBytes, s.Retained, s.Safe, s.Lost = &lag, &disk.Retained, &disk.Safe, disk.Lost
}

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
	state := dispatch.StateOf(h)
	switch {
	case state != dispatch.StateLive:
		return state.String()
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
