package state_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/state"
)

// TestLockedRowsAreNamed: whatever is to be done with a row that somebody has locked,
// nothing is changed, the row is named, and the rest of the batch can be applied.
func TestLockedRowsAreNamed(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []bool{false, true} {
		for _, tt := range []struct {
			name    string
			lock    string // what the other session does with the row of event 3
			changes func(n int) state.Batch
		}{
			{"update", "SELECT FROM {}.parked WHERE ordinal = 1 AND commit_lsn = $1::pg_lsn FOR UPDATE", func(n int) state.Batch {
				return state.Batch{Update: []state.Attempt{{Key: delivery(1, n).Key, Attempts: 7}}}
			}},
			{"bury", "UPDATE {}.parked SET attempts = 9 WHERE ordinal = 1 AND commit_lsn = $1::pg_lsn", func(n int) state.Batch {
				return state.Batch{Bury: []state.Attempt{{Key: delivery(1, n).Key, Reason: "gone"}}}
			}},
			{"delete", "DELETE FROM {}.parked WHERE ordinal = 1 AND commit_lsn = $1::pg_lsn", func(n int) state.Batch {
				return state.Batch{Delete: []state.Key{delivery(1, n).Key}}
			}},
			{"insert again", "DELETE FROM {}.parked WHERE ordinal = 1 AND commit_lsn = $1::pg_lsn", func(n int) state.Batch {
				return state.Batch{Insert: []state.Row{delivery(1, n)}}
			}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				db := migrated(t)
				store := newStore(t, db)
				park(t, store, 1, 0, 6)
				person := db.Connect(t)
				tx, err := person.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := tx.Exec(t.Context(), strings.ReplaceAll(tt.lock, "{}", `"Hook""tail"`), event(3).Commit.String()); err != nil {
					t.Fatal(err)
				}
				var all state.Batch
				for n := range 6 {
					b := tt.changes(n)
					all.Insert, all.Update, all.Bury, all.Delete = append(all.Insert, b.Insert...), append(all.Update, b.Update...), append(all.Bury, b.Bury...), append(all.Delete, b.Delete...)
				}
				for n := 6; n < 30; n++ { // enough for a COPY
					all.Insert = append(all.Insert, delivery(2, n))
				}
				all.AtOnce = atOnce
				fault, ok := errors.AsType[*state.LockedError](store.Apply(t.Context(), all))
				if !ok {
					t.Fatal("no LockedError")
				}
				if diff := cmp.Diff([]state.Key{delivery(1, 3).Key}, fault.Keys); diff != "" {
					t.Errorf("locked (-want +got):\n%s", diff)
				}
				if got := stored(t, store, state.Filter{Hook: 2}); len(got) != 0 {
					t.Errorf("%d rows of the batch are there", len(got))
				}
				apply(t, store, tt.changes(2))
				if err := tx.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
				apply(t, store, all)
				if got := stored(t, store, state.Filter{Hook: 2}); len(got) != 24 {
					t.Errorf("%d rows are there after the lock", len(got))
				}
			})
		}
	}
}

// TestLockedTableIsSaid: who has locked the whole table is named, and is waited for no
// longer than a row is.
func TestLockedTableIsSaid(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	person := db.Connect(t)
	if _, err := person.Exec(t.Context(), `BEGIN; LOCK TABLE "Hook""tail".parked IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{1, 20} {
		var b state.Batch
		for n := range rows {
			b.Insert = append(b.Insert, delivery(1, n))
		}
		fault, ok := errors.AsType[*state.LockedError](store.Apply(t.Context(), b))
		if !ok {
			t.Fatal("no LockedError")
		}
		if len(fault.Keys) != 0 || !strings.Contains(fault.Error(), "process ") {
			t.Errorf("%d rows: keys %v, said: %v", rows, fault.Keys, fault)
		}
	}
}

// TestLockedSettingIsSaid: a hook's setting that somebody has locked is not waited for.
func TestLockedSettingIsSaid(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	if err := store.Pause(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	person := db.Connect(t)
	if _, err := person.Exec(t.Context(), `BEGIN; SELECT FROM "Hook""tail".hook_setting FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*state.LockedError](store.Suspend(t.Context(), 1, event(0))); !ok {
		t.Error("the hook's row is locked, and no LockedError says so")
	}
	if _, ok := errors.AsType[*state.LockedError](store.Hold(t.Context(), 1, time.Hour)); !ok {
		t.Error("the hook's row is locked, and nothing says so when it is to be held")
	}
	if err := store.Suspend(t.Context(), 2, event(0)); err != nil {
		t.Error(err)
	}
}

// TestUpkeepPassesLockedRows: what is looked for in the whole table waits for no row that
// somebody has locked.
func TestUpkeepPassesLockedRows(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	park(t, store, 1, 0, 4)
	var bury []state.Attempt
	for n := range 4 {
		bury = append(bury, state.Attempt{Key: delivery(1, n).Key, Reason: "gone"})
	}
	apply(t, store, state.Batch{Bury: bury})
	if _, err := store.Redrive(t.Context(), state.Filter{Event: event(0)}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Redrive(t.Context(), state.Filter{Event: event(1)}, false); err != nil {
		t.Fatal(err)
	}
	person := db.Connect(t)
	if _, err := person.Exec(t.Context(), `BEGIN; SELECT FROM "Hook""tail".parked WHERE ordinal = 1 FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	redriven, err := store.Redriven(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0}, numbers(redriven)); diff != "" {
		t.Errorf("redriven (-want +got):\n%s", diff)
	}
	if err := store.Taken(t.Context(), []state.Key{delivery(1, 0).Key, delivery(1, 1).Key}); err != nil {
		t.Fatal(err)
	}
	if n, err := store.Trim(t.Context(), 1, 0); err != nil || n != 1 {
		t.Errorf("trimmed %d, error %v, want the one that is not locked", n, err)
	}
	if n, err := store.Expire(t.Context(), -time.Hour); err != nil || n != 0 {
		t.Errorf("expired %d, error %v", n, err)
	}
}
