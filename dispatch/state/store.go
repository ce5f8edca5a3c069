package state

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store gives a running hooktail access to the tables. Its methods are safe for
// concurrent use, as far as the pool has connections, and only select, insert, update and
// delete. Their errors come from the database; then nothing has changed.
type Store struct {
	pool       *pgxpool.Pool
	schema     string
	log        *slog.Logger
	names      *strings.Replacer // {table} → its quoted name
	poll       time.Duration
	wait       Wait
	done       done   // done deliveries whose rows were locked
	share      *Share // nil: every hook
	partitions []int  // of share; nil: every hook
}

// Options configures a Store.
type Options struct {
	Pool   *pgxpool.Pool
	Schema string
	Log    *slog.Logger  // nil: no log
	Poll   time.Duration // for Watch; default 5 s
	Wait   Wait          // for locks, in changes requested by people
	Share  *Share        // a sender's share of the hooks; nil: every hook
}

// New returns the store of the schema, which Migrate has created.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{
		pool: o.Pool, schema: o.Schema, log: o.Log, poll: cmp.Or(o.Poll, 5*time.Second), wait: o.Wait.withDefaults(o.Log),
		share: o.Share,
		names: strings.NewReplacer("{parked}", quote(o.Schema, "parked"), "{hook_setting}", quote(o.Schema, "hook_setting"), "{done}", quote(o.Schema, "done")),
	}
	if s.share != nil {
		s.partitions = s.share.Partitions
	}
	return s
}

// sql returns the statement with the names of the tables.
func (s *Store) sql(text string) string { return s.names.Replace(text) }

// collect returns the rows of a query. The error of Query is that of its rows, too.
func collect[T any](ctx context.Context, q Querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, _ := q.Query(ctx, sql, args...)
	return pgx.CollectRows(rows, scan)
}

// wrap adds what was being done.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
