package state_test

import (
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"

	"github.com/hooktail/hooktail/dispatch/state"
)

// TestDeposedSenderWritesNothing: once another sender has taken one of the partitions, no
// transaction of the one before changes anything, and each sees only the hooks of its share.
func TestDeposedSenderWritesNothing(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	pool := openPool(t, db.DSN)
	take := func(partitions ...int) *state.Store {
		t.Helper()
		share, err := state.TakeShare(t.Context(), pool, schema, "slot", partitions, 0)
		if err != nil {
			t.Fatal(err)
		}
		return state.New(state.Options{Pool: pool, Schema: schema, Log: slog.New(slog.DiscardHandler), Share: share})
	}
	old := take(7, 8)
	park(t, old, 7, 0, 4)
	park(t, old, 8, 0, 2)
	next := take(7)
	for name, write := range map[string]func() error{
		"insert":      func() error { return old.Apply(t.Context(), state.Batch{Insert: []state.Row{delivery(8, 9)}}) },
		"insert many": func() error { return old.Apply(t.Context(), state.Batch{Insert: many(8)}) },
		"delete": func() error {
			return old.Apply(t.Context(), state.Batch{Delete: []state.Key{{Hook: 7, Event: event(0)}}})
		},
		"suspend": func() error { return old.Suspend(t.Context(), 7, event(3)) },
		"hold":    func() error { return old.Hold(t.Context(), 7, 1e9) },
	} {
		if err := write(); !errors.Is(err, state.ErrDeposed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := count(t, db, "SELECT count(*) FROM {}.parked") + count(t, db, "SELECT count(*) FROM {}.hook_setting"); got != "60" {
		t.Errorf("rows of parked and hook_setting: %s", got)
	}
	apply(t, next, state.Batch{Delete: []state.Key{{Hook: 7, Event: event(0)}}})
	backlogs, err := next.Backlogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if hooks := slices.Collect(func(yield func(int64) bool) {
		for _, b := range backlogs {
			if !yield(b.Hook) {
				return
			}
		}
	}); !slices.Equal(hooks, []int64{7}) {
		t.Errorf("the share has the hooks %v", hooks)
	}
}

// TestEachHookBelongsToOneShare: whatever a hook's id, exactly the sender with the hook's
// partition sees its settings, its deliveries, and those that a person has redriven.
func TestEachHookBelongsToOneShare(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	pool := openPool(t, db.DSN)
	all := newStore(t, db)
	hooks := []int64{math.MinInt64, -65, -64, -63, -1, 1, 63, 64, math.MaxInt64}
	for _, hook := range hooks {
		park(t, all, hook, 0, 1)
		if err := all.Pause(t.Context(), hook); err != nil {
			t.Fatal(err)
		}
	}
	count(t, db, "WITH redriven AS (UPDATE {}.parked SET redriven = true RETURNING 1) SELECT count(*) FROM redriven")
	settings, backlogs, redriven := make(map[int64][]int), make(map[int64][]int), make(map[int64][]int)
	for partition := range state.Partitions {
		store := state.New(state.Options{
			Pool: pool, Schema: schema, Log: slog.New(slog.DiscardHandler),
			Share: &state.Share{Slot: "slot", Partitions: []int{partition}},
		})
		set, err1 := store.Settings(t.Context())
		stored, err2 := store.Backlogs(t.Context())
		rows, err3 := store.Redriven(t.Context(), 100)
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for _, s := range set {
			settings[s.Hook] = append(settings[s.Hook], partition)
		}
		for _, b := range stored {
			backlogs[b.Hook] = append(backlogs[b.Hook], partition)
		}
		for _, row := range rows {
			redriven[row.Hook] = append(redriven[row.Hook], partition)
		}
	}
	for _, hook := range hooks {
		want := []int{int(uint64(hook) % state.Partitions)}
		if !slices.Equal(settings[hook], want) || !slices.Equal(backlogs[hook], want) || !slices.Equal(redriven[hook], want) {
			t.Errorf("hook %d: settings in %v, deliveries in %v, redriven in %v, want %v", hook, settings[hook], backlogs[hook], redriven[hook], want)
		}
	}
}

// TestPayloadsOfTheLog: a payload is there until the log is purged beyond it.
func TestPayloadsOfTheLog(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	l := state.NewLog(openPool(t, db.DSN), schema, "slot")
	for after, id := range []string{"1-A-0", "1-B-0"} {
		if err := l.Store(t.Context(), id, []byte(id), uint64(after)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Purge(t.Context(), 1, nil); err != nil {
		t.Fatal(err)
	}
	gone, err1 := l.Payload(t.Context(), "1-A-0")
	kept, err2 := l.Payload(t.Context(), "1-B-0")
	if gone != nil || string(kept) != "1-B-0" || errors.Join(err1, err2) != nil {
		t.Errorf("%q, %q, %v", gone, kept, errors.Join(err1, err2))
	}
}
