package wiring

import (
	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Identity selects what setup does to the tables' REPLICA IDENTITY.
type Identity string

// Values of Identity.
const (
	IdentityFull    Identity = "full"    // deletions contain all columns that are needed
	IdentityDefault Identity = "default" // the tables are left alone
)

// PlanOf returns what hooktail needs from the database.
func PlanOf(cfg config.Config, kind Identity) cdc.Plan {
	full := kind == IdentityFull
	table := func(name string, full bool) cdc.Table {
		return cdc.Table{Schema: cfg.SourceSchema, Name: name, IdentityFull: full}
	}
	return cdc.Plan{
		Slot:        cfg.Slot,
		Publication: cfg.Publication,
		Tables: []cdc.Table{
			table(cfg.ProjectTable, full),
			// The Data Manager clears a task's project in a transaction of its own before
			// it deletes the task, and only the native profile reports deleted tasks.
			table(cfg.TaskTable, full && cfg.Profile == config.Native),
			table(cfg.AnnotationTable, full),
			table(cfg.WebhookTable, false),
			table(cfg.WebhookActionTable, false),
			OwnTable(cfg),
		},
		Failover: true,
	}
}

// OwnTable is published too: adopting a hook takes effect at its commit.
func OwnTable(cfg config.Config) cdc.Table {
	return cdc.Table{Schema: cfg.StateSchema, Name: string(hook.HookSetting)}
}

// EmitSources are the application's tables that custom events belong to.
func EmitSources(cfg config.Config) state.EmitSources {
	return state.EmitSources{
		Project: state.Table{Schema: cfg.SourceSchema, Name: cfg.ProjectTable},
		Task:    state.Table{Schema: cfg.SourceSchema, Name: cfg.TaskTable},
	}
}

// Webhooks is the application's table of hooks, which adopt and release change.
func Webhooks(cfg config.Config) state.Table {
	return state.Table{Schema: cfg.SourceSchema, Name: cfg.WebhookTable}
}
