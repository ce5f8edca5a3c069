package relay

import (
	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
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
