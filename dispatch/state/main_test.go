package state_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

func TestMain(m *testing.M) {
	os.Exit(cdctest.MainWithoutLeaks(m))
}

// schema has a name that needs its quotes.
const schema = `Hook"tail`

// migrated is a database with the tables.
func migrated(t testing.TB) *cdctest.Database {
	t.Helper()
	db := cdctest.Postgres(t).Database(t)
	if err := state.Migrate(t.Context(), db.Connect(t), schema); err != nil {
		t.Fatal(err)
	}
	return db
}

func openPool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// park stores deliveries of the events from the first to before the last.
func park(t testing.TB, store *state.Store, hook int64, first, last int) {
	t.Helper()
	var rows []state.Row
	for n := first; n < last; n++ {
		rows = append(rows, delivery(hook, n))
	}
	apply(t, store, state.Batch{Insert: rows})
}

func apply(t testing.TB, store *state.Store, b state.Batch) {
	t.Helper()
	if err := store.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// stored are the numbers of the events that the filter means.
func stored(t testing.TB, store *state.Store, f state.Filter) []int {
	t.Helper()
	rows, err := store.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return numbers(rows)
}

// numbers is which events the rows are of.
func numbers(rows []state.Row) []int {
	var out []int
	for _, r := range rows {
		out = append(out, int((uint64(r.Event.Commit)-commit)>>20)*2+r.Event.Ordinal)
	}
	return out
}

// count is what the statement counts, as text. {} stands for the schema.
func count(t testing.TB, db *cdctest.Database, sql string, args ...any) string {
	t.Helper()
	return db.QueryText(t, strings.ReplaceAll(sql, "{}", `"Hook""tail"`), args...)
}

func newStore(t testing.TB, db *cdctest.Database) *state.Store {
	t.Helper()
	return state.New(state.Options{Pool: openPool(t, db.DSN), Schema: schema, Log: slog.New(slog.DiscardHandler)})
}

// commit is that of event 0, above 4 GiB so that both halves of the LSN count.
const commit uint64 = 0x16_B374D848

// event is the n-th id in the order of the stream: two to a commit.
func event(n int) mapping.ID {
	id := mapping.ID{Timeline: 1, Ordinal: n % 2}
	if err := id.Commit.Scan(commit + uint64(n/2)<<20); err != nil {
		panic(err) // it takes numbers
	}
	return id
}

var begin = time.Date(2026, 11, 23, 9, 37, 58, 230832000, time.UTC)

// delivery is that of the n-th event to the hook.
func delivery(hook int64, n int) state.Row {
	return state.Row{
		Key:    state.Key{Hook: hook, Event: event(n)},
		Action: mapping.AnnotationUpdated, Project: 1, Task: int64(n % 3),
		Committed: begin.Add(time.Duration(n) * time.Second), Added: begin.Add(time.Duration(n)*time.Second + time.Millisecond),
		Body: mapping.BodyOf(fmt.Appendf(nil, `{"action": "ANNOTATION_UPDATED", "annotation": {"id": %d}}`, n)),
	}
}
