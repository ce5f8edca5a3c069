package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// tail is the numbers of the events that are still to be delivered to the hook.
func tail(t *testing.T, store *state.Store, hook int64) []int {
	t.Helper()
	rows, err := store.Tail(t.Context(), state.Part{Hook: hook, Rows: 100})
	if err != nil {
		t.Fatal(err)
	}
	return numbers(rows)
}

// heads is the numbers of the events that may go first.
func heads(t *testing.T, store *state.Store, hook int64) []int {
	t.Helper()
	wanted := state.Heads{Hook: hook, Rows: 100}
	if err := wanted.Upto.Scan("FFFFFFFF/FFFFFFFF"); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Heads(t.Context(), wanted)
	if err != nil {
		t.Fatal(err)
	}
	return numbers(rows)
}

// lockRows locks rows of hook 1 as a person's session that is left open.
func lockRows(t *testing.T, db *cdctest.Database, where string) pgx.Tx {
	t.Helper()
	tx, err := db.Connect(t).Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), strings.ReplaceAll("SELECT FROM {}.parked WHERE "+where+" FOR UPDATE", "{}", `"Hook""tail"`))
	}
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestWhatIsOverStaysOver: a delivery that was made, or is dead, while somebody had locked its
// row is not sent again by a run that knows nothing of it, since newer ones of its task have
// followed it; the row is seen to when the lock is gone.
func TestWhatIsOverStaysOver(t *testing.T) {
	t.Parallel()
	for _, restarted := range []bool{false, true} {
		db := migrated(t)
		store := newStore(t, db)
		park(t, store, 1, 0, 6)
		park(t, store, 2, 0, 2)
		person := lockRows(t, db, "hook_id = 1")
		over := state.Batch{
			Delete: []state.Key{delivery(1, 0).Key, delivery(1, 1).Key},
			Bury:   []state.Attempt{{Key: delivery(1, 4).Key, Attempts: 9, Reason: "rejected"}},
			Update: []state.Attempt{{Key: delivery(1, 3).Key, Attempts: 1}},
		}
		for range 2 { // the lanes try again
			fault, ok := errors.AsType[*state.LockedError](store.Apply(t.Context(), over))
			if !ok || len(fault.Keys) != 4 {
				t.Fatalf("locked: %v", fault)
			}
		}
		next := store
		if restarted {
			next = newStore(t, db)
		}
		if diff := cmp.Diff([]int{2, 3, 5}, tail(t, next, 1)); diff != "" {
			t.Errorf("while the rows are locked, still to be delivered (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{2}, heads(t, next, 1)); diff != "" {
			t.Errorf("while the rows are locked, heads (-want +got):\n%s", diff)
		}
		if _, err := next.Expire(t.Context(), time.Hour); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5}, stored(t, next, state.Filter{Hook: 1})); diff != "" {
			t.Errorf("while the rows are locked, rows (-want +got):\n%s", diff)
		}
		if err := person.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if restarted {
			if _, err := next.Expire(t.Context(), time.Hour); err != nil {
				t.Error(err)
			}
			apply(t, next, state.Batch{Update: over.Update})
		} else {
			apply(t, next, over)
		}
		if got := count(t, db, `SELECT string_agg(concat_ws(' ', hook_id, task_id, state, reason), ', ' ORDER BY hook_id, commit_lsn, ordinal) FROM {}.parked`); got !=
			"1 2 parked , 1 0 parked , 1 1 dead rejected, 1 2 parked , 2 0 parked , 2 1 parked " {
			t.Errorf("restarted %t, at the end: %s", restarted, got)
		}
		if got := count(t, db, `SELECT count(*) FROM {}.done`); got != "0" {
			t.Errorf("%s deliveries are still noted", got)
		}
	}
}

// TestRepairSendsWhatIsOver: an event that a repair makes again is sent, whatever became of it
// before.
func TestRepairSendsWhatIsOver(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	row := delivery(1, 0)
	row.Event.Timeline = 0
	apply(t, store, state.Batch{Insert: []state.Row{row}})
	person := lockRows(t, db, "hook_id = 1")
	if err := store.Apply(t.Context(), state.Batch{Delete: []state.Key{row.Key}}); err == nil {
		t.Fatal("the row is not locked")
	}
	if err := person.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := newStore(t, db)
	if err := next.Withdraw(t.Context(), mapping.ID{Commit: row.Event.Commit}); err != nil {
		t.Fatal(err)
	}
	apply(t, next, state.Batch{Insert: []state.Row{row}})
	if diff := cmp.Diff([]int{0}, tail(t, next, 1)); diff != "" {
		t.Errorf("to be delivered (-want +got):\n%s", diff)
	}
}
