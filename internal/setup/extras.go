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
}

// Lacks returns what the role lacks for the extras.
func (e Extras) Lacks(ctx context.Context, conn *pgx.Conn, cfg config.Config) ([]cdc.Lack, error) {
	if !e.CustomEvents {
		return nil, nil
	}
	tables := []cdc.Table{{Schema: cfg.SourceSchema, Name: cfg.ProjectTable}, {Schema: cfg.SourceSchema, Name: cfg.TaskTable}}
	if err := cdc.CheckTables(ctx, conn, tables); err != nil {
		return nil, err
	}
	what, mend, err := state.EmitLacks(ctx, conn, wiring.EmitSources(cfg))
	if err != nil || what == "" {
		return nil, err
	}
	return []cdc.Lack{{What: what, Mend: mend}}, nil
}

// Statements returns the SQL of the extras for a database with hooktail's own tables.
func (e Extras) Statements(cfg config.Config) (statements []string) {
	if e.CustomEvents {
		statements = slices.Concat(statements, state.EmitStatements(cfg.StateSchema, wiring.EmitSources(cfg)))
	}
	return statements
}

// Install creates missing extras, after the plan, and returns what it ran.
func (e Extras) Install(ctx context.Context, conn *pgx.Conn, cfg config.Config, log func(step string)) (ran []string, err error) {
	if e.CustomEvents {
		ran, err = state.SetUpEmit(ctx, conn, cfg.StateSchema, wiring.EmitSources(cfg), log)
	}
	return ran, err
}
