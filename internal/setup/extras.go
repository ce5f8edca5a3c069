package setup

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Extras are created by a set-up only on request.
type Extras struct {
	CustomEvents bool // the function emit and its secret
	TaskEvents   bool // REPLICA IDENTITY FULL of the tasks, for TASK_COMPLETED and TASK_REOPENED
}

// Plan returns the plan with the changes of the extras.
func (e Extras) Plan(plan cdc.Plan, cfg config.Config) cdc.Plan {
	if e.TaskEvents {
		plan.Tables = slices.Clone(plan.Tables)
		for i, t := range plan.Tables {
			plan.Tables[i].IdentityFull = t.IdentityFull || t.Schema == cfg.SourceSchema && t.Name == cfg.TaskTable
		}
	}
	return plan
}

// Lacks returns what the role lacks for the extras.
func (e Extras) Lacks(ctx context.Context, conn *pgx.Conn, cfg config.Config) ([]cdc.Lack, error) {
	if !e.CustomEvents {
		return nil, nil
	}
	sources := wiring.EmitSources(cfg)
	if err := cdc.CheckTables(ctx, conn, []cdc.Table{{Schema: sources.Project.Schema, Name: sources.Project.Name}, {Schema: sources.Task.Schema, Name: sources.Task.Name}}); err != nil {
		return nil, err
	}
	what, mend, err := state.EmitLacks(ctx, conn, sources)
	if err != nil || what == "" {
		return nil, err
	}
	return []cdc.Lack{{What: what, Mend: mend}}, nil
}

// Statements returns the SQL of the extras, in addition to the plan's, for a database with
// hooktail's own tables.
func (e Extras) Statements(cfg config.Config) (statements []string) {
	if e.TaskEvents {
		statements = append(statements, state.TaskEventsStatement(cfg.StateSchema))
	}
	if e.CustomEvents {
		statements = slices.Concat(statements, state.EmitStatements(cfg.StateSchema, wiring.EmitSources(cfg)))
	}
	return statements
}

// Install creates the missing extras after the plan, whose result says what was changed,
// and returns the statements that it ran.
func (e Extras) Install(ctx context.Context, conn *pgx.Conn, cfg config.Config, result cdc.Result, log func(step string)) (ran []string, err error) {
	task := cdc.Table{Schema: cfg.SourceSchema, Name: cfg.TaskTable}
	if e.TaskEvents && slices.Contains(result.Steps, cdc.IdentityStatement(task, "FULL")) {
		if err := state.NoteTaskEvents(ctx, conn, cfg.StateSchema); err != nil {
			return nil, err
		}
	}
	if e.CustomEvents {
		ran, err = state.SetUpEmit(ctx, conn, cfg.StateSchema, wiring.EmitSources(cfg), log)
	}
	return ran, err
}

// OldRows estimates the WAL that task events cost; nil if they are no extra.
func (e Extras) OldRows(ctx context.Context, conn *pgx.Conn, cfg config.Config) (*state.OldRows, error) {
	if !e.TaskEvents {
		return nil, nil
	}
	cost, err := state.ReadOldRows(ctx, conn, wiring.EmitSources(cfg).Task)
	return &cost, err
}
