package state

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is the tables, as a hooktail uses them that runs. Its methods are safe
// for concurrent use, as far as the pool has connections, and only select,
// insert, update and delete. Their errors come from the database; what was to be
// written then is as it was before.
type Store struct {
	pool   *pgxpool.Pool
	schema string
	log    *slog.Logger
	parked string // the table, quoted
	sets   string // hook_setting, quoted
	poll   time.Duration
	wait   Wait
	done   done // of which the rows were locked
	share  *Share
}

// Options are what a Store needs.
type Options struct {
	Pool   *pgxpool.Pool
	Schema string
	Log    *slog.Logger  // nil: none
	Poll   time.Duration // of Watch; 0: 5 s
	Wait   Wait          // for locks, in what people ask for
	Share  *Share        // of a sender, with all of its hooks; nil: every hook
}

// New is the store of the schema, which Migrate has made.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Poll == 0 {
		o.Poll = 5 * time.Second
	}
	return &Store{
		pool: o.Pool, schema: o.Schema, log: o.Log, poll: o.Poll, wait: o.Wait.withDefaults(o.Log),
		share:  o.Share,
		parked: quote(o.Schema, "parked"),
		sets:   quote(o.Schema, "hook_setting"),
	}
}

// sql is the statement with the names of the tables in it.
func (s *Store) sql(text string) string {
	return strings.NewReplacer("{parked}", s.parked, "{hook_setting}", s.sets, "{done}", quote(s.schema, "done")).Replace(text)
}

// wrap says what was being done.
func wrap(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
