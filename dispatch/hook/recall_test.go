package hook

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// writtenDown is what has been written down of hooks, by hook and commit.
type writtenDown map[int64]map[uint64][]byte

// note takes what the hooks have for the commit.
func (w writtenDown) note(h *Set, commit int) {
	seen := h.Seen(uint64(commit), true)
	for _, s := range seen {
		if w[s.Hook] == nil {
			w[s.Hook] = make(map[uint64][]byte)
		}
		w[s.Hook][s.LSN] = s.Wanted
	}
	h.Written(seen)
}

// seen is what there is of it when it was written up to one commit, and everything up to
// another is recorded as done.
func (w writtenDown) seen(upTo, recorded int) (all []state.Seen) {
	for _, hook := range slices.Sorted(maps.Keys(w)) {
		lsns := slices.Sorted(maps.Keys(w[hook]))
		lsns = slices.DeleteFunc(lsns, func(lsn uint64) bool { return lsn > uint64(upTo) })
		for i, lsn := range lsns {
			if i+1 < len(lsns) && lsns[i+1] <= uint64(recorded) {
				continue // nothing asks for it any more
			}
			all = append(all, state.Seen{Hook: hook, LSN: lsn, Wanted: w[hook][lsn]})
		}
	}
	return all
}

// foundBy is the hooks as Load finds them after these changes, one a transaction.
func foundBy(t *rapid.T, changes []RowChange) *Set {
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler), StateSchema: "hooktail"})
	for _, change := range changes {
		if err := h.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
	h.settle(true)
	next := uint64(len(changes)) + 1
	h.seen, h.end, h.catching = snapshot{min: next, max: next}, next, true
	return h
}

// allTargets is who gets the events of some kinds, without hooks that are not there.
func allTargets(h *Set, there func(hook int64) bool) (all []Target) {
	for _, action := range []mapping.Action{mapping.TaskCreated, mapping.ProjectCreated, mapping.AnnotationCreated, "MODEL_OUTDATED"} {
		for project := range int64(3) {
			for organization := range int64(3) {
				all = h.Match(&mapping.Event{Action: action, Organization: organization, Project: project}, all)
			}
		}
	}
	for i := range all { // the filter by its text: each set has compiled it for itself
		if f := all[i].Filter; f != nil {
			all[i].Filter, all[i].Action = nil, all[i].Action+mapping.Action(" if "+f.String())
		}
	}
	return slices.DeleteFunc(all, func(t Target) bool { return !there(t.Hook) })
}

// isWhole reports whether the row says all but what may be TOASTed.
func isWhole(change RowChange) bool {
	return change.Truncated || change.Deleted || !slices.ContainsFunc(append(RequiredColumns(change.Table), "project_id"), func(column string) bool {
		_, _, ok := change.Row.Text(column)
		return !ok && column != "url" && (column != "project_id" || change.Table == Webhook)
	})
}

// TestRecall: who begins to read anywhere behind what Load finds matches each event as one
// who has read all the time, but for hooks that are gone.
func TestRecall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		down := make(writtenDown)
		steady := foundBy(t, nil)
		if err := steady.Recall(nil, false); err != nil {
			t.Fatal(err)
		}
		down.note(steady, 0)
		var changes []RowChange
		everywhere := func(int64) bool { return true }
		matches := [][]Target{allTargets(steady, everywhere)}
		n := rapid.IntRange(1, 30).Draw(t, "changes")
		for i := 1; i <= n; i++ {
			change := anyChange().Draw(t, "change")
			if !isWhole(change) || errors.Is(steady.Apply(change), ErrIncomplete) {
				change = deleteRow(Webhook, 99)
			}
			change.XID = uint32(i)
			changes = append(changes, change)
			down.note(steady, i)
			matches = append(matches, allTargets(steady, everywhere))
		}
		read := rapid.IntRange(0, n).Draw(t, "read")              // so many were read before a crash,
		begin := rapid.IntRange(0, read).Draw(t, "begin")         // so many of them confirmed,
		recorded := rapid.IntRange(0, begin).Draw(t, "recorded")  // and so many known to be
		committed := rapid.IntRange(read, n).Draw(t, "committed") // when Load reads
		h := foundBy(t, changes[:committed])
		if err := h.Recall(down.seen(read, recorded), true); err != nil {
			t.Fatal(err)
		}
		found := maps.Clone(h.view.hooks)
		for i := begin + 1; i <= n; i++ {
			if h.Advance(uint64(i)) {
				t.Fatalf("lost the way at %d", i)
			}
			if err := h.Apply(changes[i-1]); err != nil {
				t.Fatal(err)
			}
			h.Written(h.Seen(uint64(i), true))
			there := func(hook int64) bool { return i > committed || found[hook] != nil }
			want := slices.DeleteFunc(slices.Clone(matches[i]), func(t Target) bool { return !there(t.Hook) })
			if got := allTargets(h, there); !slices.Equal(got, want) {
				t.Fatalf("%d read, begun behind %d, loaded after %d: matches after %d (-want +got):\n%s", read, begin, committed, i, cmp.Diff(want, got))
			}
		}
	})
}
