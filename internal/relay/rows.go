package relay

import (
	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/status"
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
	for _, action := range hook.Actions {
		h.Actions = append(h.Actions, string(action))
	}
	return h
}

// DescribeDisk adds the WAL that the database retains for the slot.
func DescribeDisk(s *status.Stream, disk cdc.Disk, confirmed cdc.LSN) {
	lag := int64(disk.End - min(confirmed, disk.End))
	s.LagBytes, s.Retained, s.Safe, s.Lost = &lag, &disk.Retained, &disk.Safe, disk.Lost
}
