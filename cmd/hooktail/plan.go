package main

import (
	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
)

// identity says what setup does to the tables' REPLICA IDENTITY.
type identity string

const (
	identityFull    identity = "full"    // deletions say all that they need
	identityDefault identity = "default" // the tables stay as they are
)

// planOf is what hooktail needs of the database.
func planOf(cfg config.Config, kind identity) cdc.Plan {
	full := kind == identityFull
	table := func(name string, full bool) cdc.Table {
		return cdc.Table{Schema: cfg.SourceSchema, Name: name, IdentityFull: full}
	}
	return cdc.Plan{
		Slot:        cfg.Slot,
		Publication: cfg.Publication,
		Tables: []cdc.Table{
			table(cfg.ProjectTable, full),
			// The Data Manager clears a task's project in a transaction of its
			// own before it deletes the task, and only the native profile tells
			// of deleted tasks.
			table(cfg.TaskTable, full && cfg.Profile == config.Native),
			table(cfg.AnnotationTable, full),
			table(cfg.WebhookTable, false),
			table(cfg.WebhookActionTable, false),
			ownTable(cfg),
		},
		Failover: true,
	}
}

// ownTable is published as well: that a hook is adopted takes effect where it was
// committed.
func ownTable(cfg config.Config) cdc.Table {
	return cdc.Table{Schema: cfg.StateSchema, Name: string(dispatch.HookSetting)}
}
