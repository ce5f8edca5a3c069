package setup

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Teardown holds everything that hooktail has created in a database, and removes it. It
// has its own connection until Close.
type Teardown struct {
	Remains cdc.Remains
	Holding state.Holding
	// Adopted are the ids, in order, of hooks that would no longer be served afterwards:
	// adopted, and still in the application's table.
	Adopted []int64

	Log []natslog.Stream // streams in NATS

	cfg  config.Config
	plan cdc.Plan
	conn *pgx.Conn
}

// FindRemains finds everything that teardown removes, and checks whether the role may
// remove it; a missing privilege is a *cdc.Fault. release states that adopted hooks are
// to be activated again. It changes nothing.
func FindRemains(ctx context.Context, cfg config.Config, release bool) (*Teardown, error) {
	conn, err := wiring.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &Teardown{cfg: cfg, plan: wiring.PlanOf(cfg, wiring.IdentityFull), conn: conn}
	if err := t.look(ctx, release); err != nil {
		t.Close(ctx)
		return nil, err
	}
	return t, nil
}

// Close closes the connection.
func (t *Teardown) Close(ctx context.Context) { _ = t.conn.Close(context.WithoutCancel(ctx)) }

func (t *Teardown) look(ctx context.Context, release bool) (err error) {
	var extras Extras
	if extras.TaskEvents, err = state.HasTaskEvents(ctx, t.conn, t.cfg.StateSchema); err != nil {
		return err
	}
	t.plan = extras.Plan(t.plan, t.cfg)
	if t.Holding, err = state.ReadHolding(ctx, t.conn, t.cfg.StateSchema); err != nil {
		return err
	}
	var besides []cdc.Lack
	if t.Holding.Foreign {
		besides = append(besides, cdc.Lack{
			What: fmt.Sprintf("must be owner of schema %q and its tables", t.cfg.StateSchema), Mend: "hooktail teardown as their owner;",
		})
	}
	if len(t.Holding.Adopted) > 0 && cdc.CheckTables(ctx, t.conn, []cdc.Table{{Schema: t.cfg.SourceSchema, Name: t.cfg.WebhookTable}}) == nil {
		abandoned, err := state.ReadAbandoned(ctx, t.conn, wiring.Webhooks(t.cfg), t.Holding.Adopted)
		if err != nil {
			return err
		}
		t.Adopted = abandoned.Hooks
		if release && abandoned.Grant != "" {
			besides = append(besides, cdc.Lack{What: "the role may not activate hooks", Mend: abandoned.Grant + " TO the role;"})
		}
	} // otherwise the application and its hooks are gone
	if t.Remains, err = cdc.CheckTeardown(ctx, t.conn, t.plan, besides...); err != nil || !HasLog(t.cfg) {
		return err
	}
	err = withLog(ctx, t.cfg, t.conn, func(log *natslog.Log) (err error) {
		t.Log, err = log.Streams(ctx)
		return err
	})
	if errors.Is(err, natslog.ErrForeign) { // that of a database with whose environment this one was copied
		return nil
	}
	return err
}

// Remove removes everything found and activates the adopted hooks, in one transaction:
// after an error nothing in the database is changed. The log is removed after it. log gets each statement about the stream.
func (t *Teardown) Remove(ctx context.Context, log func(step string)) error {
	err := cdc.Teardown(ctx, t.conn, t.plan, log, func(ctx context.Context, tx pgx.Tx) error {
		return state.Remove(ctx, tx, t.cfg.StateSchema, wiring.Webhooks(t.cfg), t.Adopted)
	})
	if err != nil || len(t.Log) == 0 {
		return err
	}
	events, err := OpenLog(t.cfg)
	if err == nil {
		defer events.Close()
		err = events.TearDown(ctx)
	}
	if err != nil {
		return fmt.Errorf("the database is clean, but the log remains: %w", err)
	}
	return nil
}
