package cdc

import (
	"context"
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

// run executes one statement and logs it.
func (in *installer) run(ctx context.Context, sql string) error {
	in.log(sql)
	begun := time.Now()
	for {
		err := exec(ctx, in.conn, fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = 0; %s",
			max(1, min(lockAtOnce, in.patience).Milliseconds()), sql))
		switch {
		case err == nil:
			in.done = append(in.done, sql)
			return nil
		case postgres.Code(err) != postgres.LockNotAvailable:
			return fmt.Errorf("run %q: %w", sql, refused(err))
		case time.Since(begun) >= in.patience:
			return locked(ctx, in.conn, in.plan.Tables, sql, in.patience, err)
		}
		if retry.Sleep(ctx, min(lockPause, in.patience)) != nil {
			return fmt.Errorf("run %q: %w", sql, ctx.Err())
		}
	}
}

// locked names the sessions that have locked the tables.
func locked(ctx context.Context, conn *pgconn.PgConn, tables []Table, sql string, patience time.Duration, cause error) error {
	fault := &Fault{
		Reason: TableLocked, Err: cause,
		What: fmt.Sprintf("%q could not be run within %s because of locks", sql, patience),
		Mend: "end the transactions that hold them, or wait, and try again; the statement changed nothing",
	}
	return fault.naming(ctx, conn, `pid IN (SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		AND n.nspname || '.' || c.relname IN (`+textList(tables)+`))`)
}
