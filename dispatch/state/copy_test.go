package state_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// many is so many rows that they are copied, with all that a row can have.
func many(hook int64) []state.Row {
	var rows []state.Row
	for n := range 40 {
		r := delivery(hook, n)
		r.Attempts, r.LastResult, r.LastStatus = n, "5xx", 503
		if n%2 == 0 {
			r.Next = begin.Add(-time.Duration(n) * time.Hour * 24 * 365) // before PostgreSQL's epoch as well
		}
		r.Action = mapping.Action("JÜRGEN'S \\ \t ✓")
		r.Body = mapping.BodyOf([]byte(strings.Repeat("\x00\xff\\.\n", n*n*n)))
		rows = append(rows, r)
	}
	rows[3].Committed = time.Time{}                            // of a row that does not say when it was changed
	rows[7].Event.Timeline, rows[7].Event.Ordinal = 0, 1<<31-1 // of a repair
	return rows
}

// TestCopyStoresWhatInsertDoes: how many rows are parked at once makes no difference to
// what is stored.
func TestCopyStoresWhatInsertDoes(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	apply(t, store, state.Batch{Insert: many(1)})
	for _, row := range many(2) {
		apply(t, store, state.Batch{Insert: []state.Row{row}})
	}
	const differ = `SELECT count(*) FROM {}.parked a FULL JOIN {}.parked b ON b.hook_id = 2 AND
		(a.commit_lsn, a.ordinal, a.timeline) = (b.commit_lsn, b.ordinal, b.timeline)
		WHERE a.hook_id = 1 AND to_jsonb(a) - 'hook_id' - 'parked_at' IS DISTINCT FROM to_jsonb(b) - 'hook_id' - 'parked_at'`
	if n := count(t, db, differ); n != "0" {
		t.Errorf("%s rows differ", n)
	}
	if n := count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 1`); n != "40" {
		t.Errorf("%s rows are stored, want 40", n)
	}
}

// TestCopyOfWhatIsStored: rows that are there already stay as they are, and do not keep
// the others from being stored, nor what else is in the batch from being done.
func TestCopyOfWhatIsStored(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	park(t, store, 3, 0, 2)
	before := many(1)[5]
	before.Body = mapping.BodyOf([]byte("before"))
	apply(t, store, state.Batch{Insert: []state.Row{before}})
	batch := state.Batch{
		Insert: many(1),
		Update: []state.Attempt{{Key: delivery(3, 0).Key, Attempts: 9}},
		Delete: []state.Key{delivery(3, 1).Key},
	}
	for range 2 { // the answer to the first may have been lost
		apply(t, store, batch)
	}
	if n := count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 1`); n != "40" {
		t.Errorf("%s rows are stored, want 40", n)
	}
	if body := count(t, db, `SELECT convert_from(body, 'UTF8') FROM {}.parked WHERE attempts = 5 AND hook_id = 1`); body != "before" {
		t.Errorf("the body that was there is %q now", body)
	}
	if diff := cmp.Diff("1 9", count(t, db, `SELECT count(*) || ' ' || max(attempts) FROM {}.parked WHERE hook_id = 3`)); diff != "" {
		t.Errorf("rows and attempts of the other hook (-want +got):\n%s", diff)
	}
}

// TestCopyIsAllOrNothing: what cannot be done of a batch undoes the rest.
func TestCopyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	db.Exec(t, `ALTER TABLE "Hook""tail".parked ADD CHECK (last_result <> 'bad')`)
	rows := many(1)
	rows[39].LastResult = "bad"
	if err := store.Apply(t.Context(), state.Batch{Insert: rows}); err == nil {
		t.Fatal("no error")
	}
	park(t, store, 3, 0, 1)
	bad := state.Attempt{Key: delivery(3, 0).Key, LastResult: "bad"}
	if err := store.Apply(t.Context(), state.Batch{Insert: many(1), Update: []state.Attempt{bad}}); err == nil {
		t.Fatal("no error")
	}
	if n := count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 1`); n != "0" {
		t.Errorf("%s rows are stored, want none", n)
	}
	apply(t, store, state.Batch{Insert: many(1)}) // the connections are as good as before
}
