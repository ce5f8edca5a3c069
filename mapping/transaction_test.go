package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
)

// Groups beyond the batch size are cut into several events.
func TestLargeDeletionIsCut(t *testing.T) {
	s := newSchema(fullKey)
	var changes []cdc.Change
	for id := range 5 {
		changes = append(changes, s.remove("task_completion", annotationRow(id+1, id+1, 1, t1, false)...))
	}
	m := NewMapper(Options{BatchSize: 2})
	got := tellAll(mapAll(t, m, parts(1, changes, 3)))
	want := []string{
		"0 ANNOTATIONS_DELETED [1 2] project 1 task 0", "2 ANNOTATIONS_DELETED [3 4] project 1 task 0",
		"4 ANNOTATIONS_DELETED [5] project 1 task 5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// What a transaction of several parts does to one row in several of them.
func TestSeveralParts(t *testing.T) {
	s := newSchema(fullKey)
	p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
	tests := []struct {
		name    string
		changes []cdc.Change
		guide   []string
		native  []string
	}{
		{
			name:    "project deleted in the last part",
			changes: []cdc.Change{s.remove("task_completion", a...), s.remove("task", 5, 1, "{}"), s.remove("project", p...)},
			guide:   []string{"2 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name:    "project updated in two parts",
			changes: []cdc.Change{s.update("project", p, p.with(2, t2)), s.update("project", p.with(2, t2), p)},
			guide:   []string{"0 PROJECT_UPDATED [1] project 1 task 0"},
		},
		{
			name:    "project inserted, then updated",
			changes: []cdc.Change{s.insert("project", p...), s.update("project", p, p.with(2, t2))},
			guide:   []string{"0 PROJECT_CREATED [1] project 1 task 0"},
		},
		{
			name:    "project updated, then deleted",
			changes: []cdc.Change{s.update("project", p, p.with(2, t2)), s.remove("project", p...)},
			guide:   []string{"1 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name:    "project inserted, deleted and inserted again",
			changes: []cdc.Change{s.insert("project", p...), s.remove("project", p...), s.insert("project", p...)},
			guide:   []string{"0 PROJECT_CREATED [1] project 1 task 0", "2 PROJECT_UPDATED [1] project 1 task 0"},
		},
		{
			name:    "project updated, then tasks inserted",
			changes: []cdc.Change{s.update("project", p, p.with(2, t2)), s.insert("task", 5, 1, "{}")},
			guide:   []string{"1 TASK_CREATED [5] project 1 task 5"},
			native:  []string{"1 TASKS_CREATED [5] project 1 task 5"},
		},
		{
			name:    "annotation inserted, then updated",
			changes: []cdc.Change{s.insert("task_completion", a...), s.update("task_completion", a, a.with(3, t2))},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5", "1 ANNOTATION_UPDATED [7] project 1 task 5"},
			native:  []string{"0 ANNOTATION_CREATED [7] project 1 task 5"},
		},
		{
			name:    "annotation inserted, then its task",
			changes: []cdc.Change{s.insert("task_completion", a...), s.insert("task", 5, 1, "{}")},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5", "1 TASK_CREATED [5] project 1 task 5"},
			native:  []string{"1 TASKS_CREATED [5] project 1 task 5"},
		},
		{
			name:    "annotation deleted, then its task",
			changes: []cdc.Change{s.remove("task_completion", a...), s.remove("task", 5, 1, "{}")},
			guide:   []string{"0 ANNOTATIONS_DELETED [7] project 1 task 5"},
			native:  []string{"1 TASKS_DELETED [5] project 1 task 5"},
		},
	}
	for _, test := range tests {
		for _, profile := range []Profile{Guide, Native} {
			t.Run(string(profile)+"/"+test.name, func(t *testing.T) {
				want := test.guide
				if profile == Native && test.native != nil {
					want = test.native
				}
				got := tellAll(mapAll(t, NewMapper(Options{Profile: profile}), parts(1, test.changes, 1, 1)))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestRestoredRows: a transaction that deletes rows and inserts them again, as somebody
// does who restores them from a backup, makes the same last event of each row however it
// is split.
func TestRestoredRows(t *testing.T) {
	s := newSchema(fullKey)
	p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
	b, c := a.with(0, 8), a.with(0, 9)
	for _, tt := range []struct {
		name    string
		changes []cdc.Change
		want    string
	}{
		{
			"annotations, one of which is not restored",
			[]cdc.Change{
				s.remove("task_completion", a...), s.remove("task_completion", b...),
				s.insert("task_completion", a.with(7, "[1]")...), s.insert("task_completion", c...),
			},
			"7 ANNOTATION_UPDATED, 8 ANNOTATIONS_DELETED, 9 ANNOTATION_CREATED",
		},
		{
			"an annotation, deleted a second time",
			[]cdc.Change{s.remove("task_completion", a...), s.insert("task_completion", a...), s.remove("task_completion", a...)},
			"7 ANNOTATIONS_DELETED",
		},
		{
			"a skipped annotation",
			[]cdc.Change{s.remove("task_completion", a.with(4, "t")...), s.insert("task_completion", a.with(4, "t")...)},
			"7 ANNOTATION_UPDATED",
		},
		{
			"tasks",
			[]cdc.Change{
				s.remove("task_completion", a...), s.remove("task", 5, 1, "{}"), s.remove("task", -6, 1, "{}"), s.remove("task", 300, 1, "{}"),
				s.insert("task", 300, 1, "{}"), s.insert("task", -6, 1, "{}"), s.insert("task", 5, 1, "{}"), s.insert("task", 6, 1, "{}"),
				s.insert("task_completion", a...),
			},
			"6 TASK_CREATED, 7 ANNOTATION_UPDATED",
		},
		{
			"a project",
			[]cdc.Change{s.remove("project", p...), s.insert("project", p.with(2, t2)...)},
			"1 PROJECT_UPDATED",
		},
		{
			"a project with its annotations, one of which is not restored",
			[]cdc.Change{
				s.remove("project", p...), s.remove("task_completion", a...), s.remove("task_completion", b...),
				s.insert("project", p...), s.insert("task_completion", a.with(7, "[1]")...), s.insert("task_completion", c...),
			},
			"1 PROJECT_UPDATED, 7 ANNOTATION_UPDATED, 8 ANNOTATIONS_DELETED, 9 ANNOTATION_CREATED",
		},
		{
			"a project after its annotations",
			[]cdc.Change{
				s.remove("task_completion", a...), s.remove("project", p...), s.remove("task_completion", b...),
				s.insert("task_completion", a.with(7, "[1]")...), s.insert("task_completion", c...), s.insert("project", p...),
			},
			"1 PROJECT_UPDATED, 7 ANNOTATION_UPDATED, 8 ANNOTATIONS_DELETED, 9 ANNOTATION_CREATED",
		},
		{
			"a project whose mark of deletion is taken back",
			[]cdc.Change{
				s.update("project", p, p.with(4, t2)), s.remove("task_completion", a...), s.update("project", p.with(4, t2), p.with(2, t2)),
			},
			"1 PROJECT_UPDATED, 7 ANNOTATIONS_DELETED",
		},
		{
			"a project, deleted a second time",
			[]cdc.Change{
				s.remove("project", p...), s.remove("task_completion", a...), s.insert("project", p...), s.remove("project", p...),
			},
			"1 PROJECT_DELETED",
		},
	} {
		for n := range 2 * len(tt.changes) {
			size, profile, want := n/2+1, Guide, tt.want
			if n%2 == 1 {
				profile, want = Native, strings.ReplaceAll(tt.want, "TASK_", "TASKS_")
			}
			t.Run(fmt.Sprintf("%s/%s, in parts of %d", profile, tt.name, size), func(t *testing.T) {
				last := map[int64]Action{}
				for _, e := range mapAll(t, NewMapper(Options{Profile: profile}), parts(1, slices.Clone(tt.changes), slices.Repeat([]int{size}, (len(tt.changes)-1)/size)...)) {
					last[e.subject.id] = e.Action
					if e.subject.group != nil {
						delete(last, e.subject.id)
						for _, member := range e.subject.group.members {
							last[member.id] = e.Action
						}
					}
				}
				var told []string
				for _, id := range slices.Sorted(maps.Keys(last)) {
					told = append(told, fmt.Sprintf("%d %s", id, last[id]))
				}
				if diff := cmp.Diff(want, strings.Join(told, ", ")); diff != "" {
					t.Errorf("last events (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A later part's old rows are kept as far as the bound goes, the ids always.
func TestKeptRowsAreBounded(t *testing.T) {
	s := newSchema(fullKey)
	var changes []cdc.Change
	large := `"` + strings.Repeat("x", keptBytes/3) + `"`
	for id := range 5 {
		changes = append(changes, s.remove("task_completion", annotationRow(id+1, 5, 1, t1, false).with(7, large)...))
	}
	events := mapAll(t, NewMapper(Options{DeletedRows: true}), parts(1, changes, 1))
	if len(events) != 1 {
		t.Fatalf("events %q, want one", tellAll(events))
	}
	g := events[0].subject.group
	if len(g.members) != 5 || len(g.rows) != 2 {
		t.Errorf("%d ids and %d rows, want 5 and 2", len(g.members), len(g.rows))
	}
}

// A value that a later update of the transaction left untouched is still the
// row's.
func TestUntouchedValuesAreKept(t *testing.T) {
	s := newSchema(idKey)
	a := annotationRow(7, 5, 1, t1, false).with(7, `["large"]`)
	events := mapAll(t, NewMapper(Options{}), parts(1, []cdc.Change{
		s.insert("task_completion", a...),
		s.update("task_completion", nil, a.with(3, t2).with(7, unchanged{})),
	}))
	state := events[0].subject.image.row
	if got := string(state.Text(7)); got != `["large"]` {
		t.Errorf("result %q, want the inserted one", got)
	}
	if got := string(state.Text(3)); got != t2 {
		t.Errorf("updated_at %q, want the updated one", got)
	}
}

// In the application's own profile an annotation's creation waits for the
// commit, and takes its later updates along.
func TestCreationThatWaitsHasTheLastState(t *testing.T) {
	s := newSchema(fullKey)
	a := annotationRow(7, 5, 1, t1, false)
	events := mapAll(t, NewMapper(Options{Profile: Native}), parts(1, []cdc.Change{
		s.insert("task_completion", a...), s.insert("webhook", 1), s.update("task_completion", a, a.with(3, t2)),
	}, 1, 1))
	if len(events) != 1 || string(events[0].subject.image.row.Text(3)) != t2 {
		t.Errorf("events %q, want one with the last updated_at", tellAll(events))
	}
}
