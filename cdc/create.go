package cdc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/retry"
)

// ErrSlotExists is returned by CreateSlotWithSnapshot if the slot exists.
var ErrSlotExists = errors.New("slot exists")

// CreateSlotWithSnapshot creates the slot over a replication connection and exports a
// snapshot of the database at the slot's consistent point: exactly the data that the
// slot's stream does not contain. The snapshot can be imported (SET TRANSACTION SNAPSHOT)
// while the connection remains open and idle.
func CreateSlotWithSnapshot(ctx context.Context, conn *pgconn.PgConn, slot string, failover bool) (snapshot string, consistent LSN, err error) {
	version, err := VersionOf(ctx, conn)
	if err != nil {
		return "", 0, err
	}
	created, err := createOver(ctx, conn, slot, slotPatience, pglogrepl.CreateReplicationSlotOptions{SnapshotAction: exportSnapshot(version, failover)})
	if postgres.Code(err) == postgres.DuplicateObject {
		return "", 0, fmt.Errorf("create slot %q: %w", slot, ErrSlotExists)
	}
	if err != nil {
		return "", 0, err
	}
	if consistent, err = pglogrepl.ParseLSN(created.ConsistentPoint); err != nil {
		return "", 0, fmt.Errorf("create slot %q: %w", slot, err)
	}
	return created.SnapshotName, consistent, nil
}

// exportSnapshot returns the options of CREATE_REPLICATION_SLOT, whose syntax changed in
// PostgreSQL 15.
func exportSnapshot(version int, failover bool) string {
	switch {
	case failover && version >= failoverServer:
		return "(SNAPSHOT 'export', FAILOVER true)"
	case version >= 150000:
		return "(SNAPSHOT 'export')"
	default:
		return "EXPORT_SNAPSHOT"
	}
}

// createOver creates a slot over a replication connection, whose timeouts it sets to
// patience. It does not reset them: any later command would end a snapshot.
func createOver(ctx context.Context, conn *pgconn.PgConn, slot string, patience time.Duration, o pglogrepl.CreateReplicationSlotOptions) (created pglogrepl.CreateReplicationSlotResult, err error) {
	o.Mode = pglogrepl.LogicalReplication
	if err := exec(ctx, conn, fmt.Sprintf("SET lock_timeout = %d; SET statement_timeout = %[1]d", max(1, patience.Milliseconds()))); err != nil {
		return created, fmt.Errorf("set lock_timeout: %w", err)
	}
	err = untilAnswered(ctx, conn, func(ctx context.Context) (err error) {
		created, err = pglogrepl.CreateReplicationSlot(ctx, conn, quoteIdent(slot), "pgoutput", o)
		return err
	})
	if err != nil {
		return created, notCreated(ctx, conn, slot, patience, err)
	}
	return created, nil
}

// untilAnswered runs a statement that ctx must not leave to the server: when ctx ends, the
// statement is cancelled, and its answer awaited for a moment. Otherwise the process may
// end before the server knows, which then creates a slot that nobody reads.
func untilAnswered(ctx context.Context, conn *pgconn.PgConn, statement func(context.Context) error) error {
	const most, every = 5 * time.Second, 100 * time.Millisecond
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-within.Done():
			return
		case <-ctx.Done():
		}
		asked, done := context.WithTimeout(within, most)
		defer done()
		retry.Always(asked, every, func() { _ = conn.CancelRequest(asked) }) // without an answer the statement fails after all
		cancel()
	})
	defer wg.Wait()
	defer cancel()
	return statement(within)
}

// notCreated returns the error of a slot that could not be created. A slot can begin only
// when all transactions running in any database have ended: after a timeout, the Fault
// names them.
func notCreated(ctx context.Context, conn *pgconn.PgConn, slot string, patience time.Duration, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("create slot %q: %w", slot, ctx.Err())
	}
	err = fmt.Errorf("create slot %q: %w", slot, refused(err))
	if state := postgres.Code(err); state != postgres.LockNotAvailable && state != postgres.QueryCanceled {
		return err
	}
	fault := &Fault{
		Reason: SlotBlocked, Err: err,
		What: fmt.Sprintf("slot %q could not be created within %s because of running transactions", slot, patience),
		Mend: "end them, or wait, and try again",
	}
	return fault.naming(ctx, conn, "backend_xid IS NOT NULL")
}

// naming adds the sessions that match the condition on pg_stat_activity, oldest first,
// and prepared transactions, which hold locks too.
func (f *Fault) naming(ctx context.Context, conn *pgconn.PgConn, condition string) error {
	running, err := row(ctx, conn, `SELECT string_agg(what, ', ' ORDER BY begun) FROM (
		SELECT xact_start AS begun, 'pid ' || pid || ' (user ' || coalesce(usename, '?') || ', application '
			|| coalesce(nullif(application_name, ''), '?') || ', for ' || coalesce(date_trunc('second', now() - xact_start)::text, '?') || ')' AS what
		FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() AND `+condition+`
		UNION ALL
		SELECT prepared, 'prepared ' || gid || ' (user ' || owner || ', for ' || date_trunc('second', now() - prepared) || ')'
		FROM pg_catalog.pg_prepared_xacts) AS running`)
	if err != nil {
		return errors.Join(f, fmt.Errorf("look for running transactions: %w", err))
	}
	if names := running[0]; names != "" {
		f.What += ": " + names
	}
	return f
}
