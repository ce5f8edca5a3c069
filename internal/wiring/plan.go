package wiring

import (
	"context"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Identity says what setup does to the tables' REPLICA IDENTITY.
type Identity string

// What setup may do.
const (
	IdentityFull    Identity = "full"    // deletions say all that they need
	IdentityDefault Identity = "default" // the tables stay as they are
)

// PlanOf is what hooktail needs of the database.
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
			// The Data Manager clears a task's project in a transaction of its
			// own before it deletes the task, and only the native profile tells
			// of deleted tasks.
			table(cfg.TaskTable, full && cfg.Profile == config.Native),
			table(cfg.AnnotationTable, full),
			table(cfg.WebhookTable, false),
			table(cfg.WebhookActionTable, false),
			OwnTable(cfg),
		},
		Failover: true,
	}
}

// OwnTable is published as well: that a hook is adopted takes effect where it was
// committed.
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

// EmitKeys are what proves custom events; nil where they were not set up.
func EmitKeys(ctx context.Context, q state.Querier, cfg config.Config) (*mapping.Keys, error) {
	return state.EmitKeys(ctx, q, cfg.StateSchema)
}

// Webhooks is the application's table of hooks, in which adopt and release write.
func Webhooks(cfg config.Config) state.Table {
	return state.Table{Schema: cfg.SourceSchema, Name: cfg.WebhookTable}
}
