package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	// manyIDs is the number of later transactions after which an open one is reported if
	// the role may not see its age.
	manyIDs = 100_000

	whyOpen = "For the slot, the server retains the WAL since the beginning of the oldest open transaction, as if it were unread; and a new slot cannot be created until all open transactions have ended."
)

// open is a session with a transaction that has written.
type open struct {
	pid, ids int // process; number of later transactions
	xid      string
	name     string
	time     *time.Duration // nil: hidden from the role
}

// openTransactions returns those of all databases, oldest first: all of them hold back
// the slot.
func (x *examination) openTransactions(ctx context.Context) ([]open, error) {
	rows, _ := x.conn.Query(ctx, `SELECT pid, age(backend_xid), backend_xid::text, now() - xact_start,
			format('process %s (user %s, application %s)', pid, coalesce(usename, '?'), coalesce(nullif(application_name, ''), '?'))
		FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid() ORDER BY age(backend_xid) DESC`) // the rows have its error
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (o open, err error) {
		err = row.Scan(&o.pid, &o.ids, &o.xid, &o.time, &o.name)
		return o, err
	})
}

// lookAtTransactions reports transactions that have been open for long. If their age is
// hidden from the role, it reports those that outlast a moment.
func lookAtTransactions(ctx context.Context, x *examination) (found []Finding, _ error) {
	transactions, err := x.openTransactions(ctx)
	if err != nil {
		return nil, err
	}
	unseen := make(map[string]bool) // by xid
	for _, o := range transactions {
		end := fmt.Sprintf("SELECT pg_terminate_backend(%d);", o.pid)
		switch {
		case o.time != nil && *o.time > x.Long:
			found = append(found, one(Warning, fmt.Sprintf("%s has a transaction open for %s", o.name, display.Span(*o.time)), whyOpen, end)...)
		case o.time == nil && o.ids > manyIDs:
			found = append(found, one(Warning, fmt.Sprintf("%s has had a transaction open while %d others began", o.name, o.ids), whyOpen, end)...)
		case o.time == nil:
			unseen[o.xid] = true
		}
	}
	if len(unseen) == 0 || retry.Sleep(ctx, moment) != nil {
		return found, nil
	}
	if transactions, err = x.openTransactions(ctx); err != nil {
		return found, err
	}
	for _, o := range transactions {
		if unseen[o.xid] {
			found = append(found, one(Note, fmt.Sprintf("%s has a transaction open for more than %s; the role may not see for how long", o.name, moment), whyOpen,
				fmt.Sprintf("GRANT pg_read_all_stats TO %s; -- it then sees the statements of others as well", x.roleName()))...)
		}
	}
	return found, nil
}

// moment exceeds the usual duration of the application's transactions.
const moment = 2 * time.Second

func lookAtPrepared(ctx context.Context, x *examination) (found []Finding, _ error) {
	var gid, owner, database string
	var open time.Duration
	err := x.each(ctx, "SELECT gid, owner::text, database::text, now() - prepared FROM pg_catalog.pg_prepared_xacts WHERE now() - prepared > $1::interval ORDER BY prepared",
		[]any{x.Long}, []any{&gid, &owner, &database, &open}, func() {
			found = append(found, one(Warning, fmt.Sprintf("prepared transaction %s (user %s, database %s) has waited for %s", gid, owner, database, display.Span(open)), whyOpen,
				fmt.Sprintf("ROLLBACK PREPARED '%s'; -- or COMMIT PREPARED, in database %s", strings.ReplaceAll(gid, "'", "''"), database))...)
		})
	return found, err
}
