package state_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestHeadsAreThoseThatWaitForNoOther compares what is found with what a look at each
// pair of rows finds.
func TestHeadsAreThoseThatWaitForNoOther(t *testing.T) {
	db := migrated(t)
	store := state.New(state.Options{Pool: openPool(t, db.DSN), Schema: schema})
	hook := int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		hook++
		var rows []state.Row
		var attempts []state.Attempt
		for n := range rapid.IntRange(0, 30).Draw(rt, "rows") {
			row := delivery(hook, n)
			row.Event.Commit = cdc.LSN(1000 + n)
			row.Project, row.Task = rapid.Int64Range(1, 2).Draw(rt, "project"), rapid.Int64Range(0, 4).Draw(rt, "task")
			rows = append(rows, row)
			if rapid.IntRange(0, 4).Draw(rt, "tried") == 0 {
				attempts = append(attempts, state.Attempt{Key: row.Key, Attempts: 1})
			}
		}
		apply(t, store, state.Batch{Insert: rows})
		apply(t, store, state.Batch{Update: attempts})
		tasks := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) state.Task {
			return state.Task{Project: rapid.Int64Range(1, 2).Draw(rt, "project"), Task: rapid.Int64Range(0, 4).Draw(rt, "task")}
		}), 0, 2)
		h := state.Heads{
			Hook: hook, Upto: cdc.LSN(1000 + rapid.IntRange(-1, 40).Draw(rt, "upto")), Rows: rapid.IntRange(1, 10).Draw(rt, "most"),
			Passed: tasks.Draw(rt, "passed"), Known: tasks.Draw(rt, "known"),
		}
		var want []mapping.ID
		for i := len(rows) - 1; i >= 0 && len(want) < h.Rows; i-- {
			row := &rows[i]
			task := state.Task{Project: row.Project, Task: row.Task}
			waits := slices.ContainsFunc(rows[:i], func(r state.Row) bool {
				other := state.Task{Project: r.Project, Task: r.Task}
				return r.Project == row.Project && (r.Task == row.Task || (r.Task == 0 || row.Task == 0) && !slices.Contains(h.Passed, other))
			})
			tried := slices.ContainsFunc(attempts, func(a state.Attempt) bool { return a.Key == row.Key })
			if !waits && !tried && row.Event.Commit <= h.Upto && !slices.Contains(h.Passed, task) && !slices.Contains(h.Known, task) {
				want = append(want, row.Event)
			}
		}
		heads, err := store.Heads(t.Context(), h)
		if err != nil {
			rt.Fatal(err)
		}
		var got []mapping.ID
		for _, row := range heads {
			got = append(got, row.Event)
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("found %v, want %v", got, want)
		}
	})
}
