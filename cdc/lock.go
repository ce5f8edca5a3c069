package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/retry"
)

// While a statement waits for a lock on a table, all later requests wait behind it. So a
// statement waits briefly, gives way, and tries again.
const (
	lockAtOnce = time.Second
	lockPause  = 500 * time.Millisecond
)

// run logs one statement and executes it.
func (in *installer) run(ctx context.Context, sql string) error {
	in.log(sql)
	err := in.patiently(ctx, func() error {
		err := in.execute(ctx, sql)
		if in.conn.TxStatus() == 'E' { // sql begins a transaction itself
			err = errors.Join(err, exec(ctx, in.conn, "ROLLBACK"))
		}
		return err
	})
	if err != nil {
		return err
	}
	in.done = append(in.done, sql)
	return nil
}

// execute executes one statement, which waits briefly.
func (in *installer) execute(ctx context.Context, sql string) error {
	in.last = sql
	if err := exec(ctx, in.conn, in.briefly()+sql); err != nil {
		return fmt.Errorf("run %q: %w", sql, refused(err))
	}
	return nil
}

func (in *installer) briefly() string {
	return fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = 0; ", max(1, min(lockAtOnce, in.patience).Milliseconds()))
}

// patiently calls f, which executes statements, until none of them has to wait longer. In
// the end it names the sessions that have locked the tables.
func (in *installer) patiently(ctx context.Context, f func() error) error {
	begun := time.Now()
	for {
		err := f()
		waited, ok := errors.AsType[*pgconn.PgError](err)
		switch {
		case ok && waited.Code == postgres.ObjectInUse:
			return slotInUse(in.plan.Slot, "", err)
		case !ok || waited.Code != postgres.LockNotAvailable:
			return err
		}
		if time.Since(begun) >= in.patience {
			fault := &Fault{
				Reason: TableLocked, Err: waited,
				What: fmt.Sprintf("%q could not be run within %s because of locks", in.last, in.patience),
				Mend: "end the transactions that hold them, or wait, and try again; the statement changed nothing",
			}
			return fault.naming(ctx, in.conn, `pid IN (SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
				JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
				AND n.nspname || '.' || c.relname IN (`+textList(in.plan.Tables)+`))`)
		}
		if retry.Sleep(ctx, min(lockPause, in.patience)) != nil {
			return fmt.Errorf("run %q: %w", in.last, ctx.Err())
		}
	}
}
