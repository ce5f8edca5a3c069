package mapping

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
)

const (
	t1 = "2026-11-23 11:17:08.1+00"
	t2 = "2026-11-23 11:17:09.2+00"
)

// Rows of the small tables, with what the rules look at.
func projectRow(id int, updated string, deleted any) values {
	return values{id, "title", updated, 1, deleted, 0}
}

func annotationRow(id, task, project int, updated string, skipped bool) values {
	return values{id, task, project, updated, map[bool]string{true: "t", false: "f"}[skipped], 1, nil, "[]"}
}

// with is the row with one value changed.
func (v values) with(column int, value any) values {
	v = append(values{}, v...)
	v[column] = value
	return v
}

// The rules, row by row of the table in the design, for both profiles.
func TestEvents(t *testing.T) {
	s := newSchema(fullKey)
	p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
	predicted := a.with(5, nil).with(6, 3)
	tests := []struct {
		name    string
		changes []cdc.Change
		guide   []string
		native  []string // nil: the same as guide
	}{
		{
			name:    "project inserted",
			changes: []cdc.Change{s.insert("project", p...)},
			guide:   []string{"0 PROJECT_CREATED [1] project 1 task 0"},
		},
		{
			name:    "project inserted and updated is one creation",
			changes: []cdc.Change{s.insert("project", p...), s.update("project", p, p.with(2, t2))},
			guide:   []string{"0 PROJECT_CREATED [1] project 1 task 0"},
		},
		{
			name:    "project updated, updated_at moved",
			changes: []cdc.Change{s.update("project", p, p.with(2, t2))},
			guide:   []string{"0 PROJECT_UPDATED [1] project 1 task 0"},
		},
		{
			name:    "project updated, a setting alone",
			changes: []cdc.Change{s.update("project", p, p.with(1, "other"))},
			guide:   []string{"0 PROJECT_UPDATED [1] project 1 task 0"},
			native:  []string{},
		},
		{
			name:    "project updated, a counter alone",
			changes: []cdc.Change{s.update("project", p, p.with(5, 9))},
			guide:   []string{},
		},
		{
			name:    "project updated where tasks are inserted",
			changes: []cdc.Change{s.update("project", p, p.with(2, t2)), s.insert("task", 5, 1, "{}")},
			guide:   []string{"1 TASK_CREATED [5] project 1 task 5"},
			native:  []string{"1 TASKS_CREATED [5] project 1 task 5"},
		},
		{
			name:    "project updated where tasks of another are inserted",
			changes: []cdc.Change{s.insert("task", 5, 2, "{}"), s.update("project", p, p.with(2, t2))},
			guide:   []string{"0 TASK_CREATED [5] project 2 task 5", "1 PROJECT_UPDATED [1] project 1 task 0"},
			native:  []string{"0 TASKS_CREATED [5] project 2 task 5", "1 PROJECT_UPDATED [1] project 1 task 0"},
		},
		{
			name: "project deleted, its row first",
			changes: []cdc.Change{
				s.remove("project", p...), s.remove("task_completion", a...),
				s.remove("task", 5, 1, "{}"), s.remove("webhook", 1),
			},
			guide: []string{"0 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name: "project deleted, its row last",
			changes: []cdc.Change{
				s.remove("task_completion", a...), s.insert("task_completion", a.with(0, 8)...),
				s.remove("task", 5, 1, "{}"), s.remove("project", p...),
			},
			guide: []string{"3 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name:    "project's deleted_at set",
			changes: []cdc.Change{s.update("project", p, p.with(4, t2).with(2, t2)), s.remove("task_completion", a...)},
			guide:   []string{"0 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name:    "project with deleted_at updated",
			changes: []cdc.Change{s.update("project", p.with(4, t1), p.with(4, t1).with(2, t2))},
			guide:   []string{},
		},
		{
			name:    "project with deleted_at deleted",
			changes: []cdc.Change{s.remove("project", p.with(4, t1)...), s.remove("task", 5, 1, "{}")},
			guide:   []string{},
		},
		{
			name:    "project with deleted_at restored",
			changes: []cdc.Change{s.update("project", p.with(4, t1), p.with(2, t2))},
			guide:   []string{"0 PROJECT_UPDATED [1] project 1 task 0"},
		},
		{
			name:    "project inserted and deleted",
			changes: []cdc.Change{s.insert("project", p...), s.insert("task", 5, 1, "{}"), s.remove("project", p...)},
			guide:   []string{},
		},
		{
			name:    "tasks inserted",
			changes: []cdc.Change{s.insert("task", 5, 1, "{}"), s.insert("task", 6, 1, "{}"), s.insert("task", 9, 2, "{}")},
			guide: []string{
				"0 TASK_CREATED [5] project 1 task 5", "1 TASK_CREATED [6] project 1 task 6",
				"2 TASK_CREATED [9] project 2 task 9",
			},
			native: []string{"0 TASKS_CREATED [5 6] project 1 task 0", "2 TASKS_CREATED [9] project 2 task 9"},
		},
		{
			name:    "task updated",
			changes: []cdc.Change{s.update("task", values{5, 1, "{}"}, values{5, 1, `{"a": 1}`})},
			guide:   []string{},
		},
		{
			name: "tasks deleted with their annotations",
			changes: []cdc.Change{
				s.remove("task", 5, 1, "{}"), s.remove("task", 6, 1, "{}"), s.remove("task_completion", a...),
				s.remove("task_completion", a.with(0, 8).with(1, 6)...),
			},
			guide:  []string{"2 ANNOTATIONS_DELETED [7 8] project 1 task 0"},
			native: []string{"0 TASKS_DELETED [5 6] project 1 task 0"},
		},
		{
			name:    "task inserted and deleted",
			changes: []cdc.Change{s.insert("task", 5, 1, "{}"), s.remove("task", 5, 1, "{}")},
			guide:   []string{},
		},
		{
			name:    "annotation inserted",
			changes: []cdc.Change{s.insert("task_completion", a...)},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5"},
		},
		{
			name:    "annotation inserted and updated is one creation",
			changes: []cdc.Change{s.insert("task_completion", a...), s.update("task_completion", a, a.with(3, t2))},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5"},
		},
		{
			name:    "annotation inserted and deleted",
			changes: []cdc.Change{s.insert("task_completion", a...), s.remove("task_completion", a...)},
			guide:   []string{},
		},
		{
			name:    "task skipped",
			changes: []cdc.Change{s.insert("task_completion", a.with(4, "t")...)},
			guide:   []string{"0 ANNOTATION_UPDATED [7] project 1 task 5"},
			native:  []string{"0 ANNOTATION_CREATED [7] project 1 task 5"},
		},
		{
			name:    "annotation inserted with its task",
			changes: []cdc.Change{s.insert("task_completion", a...), s.insert("task", 5, 1, "{}")},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5", "1 TASK_CREATED [5] project 1 task 5"},
			native:  []string{"1 TASKS_CREATED [5] project 1 task 5"},
		},
		{
			name:    "annotation made from a prediction",
			changes: []cdc.Change{s.insert("task_completion", predicted...)},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5"},
			native:  []string{"0 ANNOTATIONS_CREATED [7] project 1 task 5"},
		},
		{
			name:    "annotations made from predictions",
			changes: []cdc.Change{s.insert("task_completion", predicted...), s.insert("task_completion", predicted.with(0, 8).with(1, 6)...)},
			guide:   []string{"0 ANNOTATION_CREATED [7] project 1 task 5", "1 ANNOTATION_CREATED [8] project 1 task 6"},
			native:  []string{"0 ANNOTATIONS_CREATED [7 8] project 1 task 0"},
		},
		{
			name:    "annotation updated, updated_at moved",
			changes: []cdc.Change{s.update("task_completion", a, a.with(3, t2))},
			guide:   []string{"0 ANNOTATION_UPDATED [7] project 1 task 5"},
		},
		{
			name: "annotation updated twice, the first time quietly",
			changes: []cdc.Change{
				s.update("task_completion", a, a.with(5, 2)), s.update("task_completion", a.with(5, 2), a.with(3, t2)),
				s.update("task_completion", a.with(3, t2), a.with(3, t1)),
			},
			guide: []string{"1 ANNOTATION_UPDATED [7] project 1 task 5"},
		},
		{
			name:    "annotation updated, its result alone",
			changes: []cdc.Change{s.update("task_completion", a, a.with(7, "[1]"))},
			guide:   []string{"0 ANNOTATION_UPDATED [7] project 1 task 5"},
			native:  []string{},
		},
		{
			name: "annotation updated, updated_by and parents alone",
			changes: []cdc.Change{
				s.update("task_completion", a, a.with(5, 2)),
				s.update("task_completion", a, a.with(6, nil).with(7, unchanged{})),
			},
			guide: []string{},
		},
		{
			name: "annotations deleted",
			changes: []cdc.Change{
				s.remove("task_completion", a...), s.remove("task_completion", a.with(0, 8)...),
				s.remove("task_completion", a.with(0, 9).with(1, 20).with(2, 2)...),
			},
			guide: []string{"0 ANNOTATIONS_DELETED [7 8] project 1 task 5", "2 ANNOTATIONS_DELETED [9] project 2 task 20"},
		},
		{
			name:    "annotation updated and deleted",
			changes: []cdc.Change{s.update("task_completion", a, a.with(3, t2)), s.remove("task_completion", a.with(3, t2)...)},
			guide:   []string{"1 ANNOTATIONS_DELETED [7] project 1 task 5"},
		},
		{
			name:    "annotation deleted and inserted again",
			changes: []cdc.Change{s.remove("task_completion", a...), s.insert("task_completion", a...)},
			guide:   []string{"1 ANNOTATION_UPDATED [7] project 1 task 5"},
		},
		{
			name:    "truncate",
			changes: []cdc.Change{{Op: cdc.Truncate, Relation: s["task_completion"]}, s.insert("task_completion", a...)},
			guide:   []string{"1 ANNOTATION_CREATED [7] project 1 task 5"},
		},
		{
			name:    "another table",
			changes: []cdc.Change{s.insert("webhook", 1), s.remove("webhook", 1)},
			guide:   []string{},
		},
	}
	for _, test := range tests {
		for _, profile := range []Profile{Guide, Native} {
			t.Run(string(profile)+"/"+test.name, func(t *testing.T) {
				want := test.guide
				if profile == Native && test.native != nil {
					want = test.native
				}
				got := tellAll(mapAll(t, NewMapper(Options{Profile: profile}), parts(100, test.changes)))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestEventFields(t *testing.T) {
	s := newSchema(fullKey)
	part := parts(0xABC, []cdc.Change{s.insert("project", projectRow(1, t1, nil)...), s.insert("task", 5, 1, "{}")})[0]
	part.Timeline, part.Time, part.Age = 3, time.Unix(100, 0), time.Second
	events := mapAll(t, NewMapper(Options{}), []*cdc.Part{part})
	e := events[1]
	if got := e.ID.String(); got != "3-ABC-1" {
		t.Errorf("id %s, want 3-ABC-1", got)
	}
	if e.Organization != 1 {
		t.Errorf("organization %d, want 1: the stream showed it", e.Organization)
	}
	if !e.Committed.Equal(part.Time) || !e.Received.Equal(part.Received) || e.Age != part.Age {
		t.Errorf("times %v %v %v are not those of the part", e.Committed, e.Received, e.Age)
	}
	if e.Bytes() < eventBytes+e.subject.image.row.Size() {
		t.Errorf("bytes %d do not count the row", e.Bytes())
	}
}

func TestMissingColumnIsNamed(t *testing.T) {
	for name, columns := range map[string][]string{
		"project":         {"id", "updated_at", "organization_id"},
		"task":            {"id", "project_id"},
		"task_completion": {"id", "task_id", "updated_at", "was_cancelled"},
	} {
		for _, column := range columns {
			t.Run(name+"."+column, func(t *testing.T) {
				s := newSchema(fullKey)
				rel := *s[name]
				rel.Columns = append([]cdc.Column{}, rel.Columns...)
				rel.Columns[rel.Index(column)].Name = "renamed"
				s[name] = &rel
				m := NewMapper(Options{})
				part := parts(1, []cdc.Change{s.insert(name, 1, 5, 5, t1)})[0]
				_, err := m.Events(part, nil)
				var missing *MissingColumnError
				if !errors.As(err, &missing) || missing.Column != column || missing.Table != name || missing.Schema != "public" {
					t.Fatalf("error %v, want one that names public.%s.%s", err, name, column)
				}
				m.Tolerate()
				events, err := m.Events(part, nil)
				if err != nil || column != "id" && len(events) != 1 {
					t.Fatalf("tolerated: events %q, error %v, want one event", tellAll(events), err)
				}
			})
		}
	}
}

// A row whose id no integer holds is counted, and the others of its transaction are
// mapped.
func TestIDThatIsNoInteger(t *testing.T) {
	s := newSchema(fullKey)
	for _, id := range []any{"x", "1cdd8947-ab33-460e-aefd-6d373843ed4d", "7.0", "9223372036854775808", "-9223372036854775809", "", nil} {
		var log bytes.Buffer
		m := NewMapper(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		got := tellAll(mapAll(t, m, parts(1, []cdc.Change{s.insert("task", id, 1), s.insert("task", 8, 1), s.insert("task", id, 1)})))
		if diff := cmp.Diff([]string{"1 TASK_CREATED [8] project 1 task 8"}, got); diff != "" {
			t.Errorf("id %v: events (-want +got):\n%s", id, diff)
		}
		if n := strings.Count(log.String(), "without an integer id"); n != 1 {
			t.Errorf("id %v: said %d times, want once: %s", id, n, &log)
		}
	}
	for _, id := range []any{"-9223372036854775808", "9223372036854775807", -1} {
		if got := mapAll(t, NewMapper(Options{}), parts(1, []cdc.Change{s.insert("task", id, 1)})); len(got) != 1 {
			t.Errorf("id %v: %d events, want 1", id, len(got))
		}
	}
}

// What belongs to nobody is logged once per table, with the cure.
func TestUnroutableIsLoggedOnce(t *testing.T) {
	s := newSchema(idKey)
	var log bytes.Buffer
	m := NewMapper(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	events := mapAll(t, m, parts(1, []cdc.Change{s.remove("task_completion", 7), s.remove("task_completion", 8)}))
	if len(events) != 0 {
		t.Errorf("events %q, want none", tellAll(events))
	}
	const cure = `ALTER TABLE \"public\".\"task_completion\" REPLICA IDENTITY FULL`
	if n := strings.Count(log.String(), cure); n != 1 {
		t.Errorf("log names the cure %d times, want once: %s", n, &log)
	}
}

// Nothing is missed of rows whose project went with them.
func TestRowsOfDeletedProjectAreNotUnroutable(t *testing.T) {
	s := newSchema(idKey)
	var log bytes.Buffer
	m := NewMapper(Options{Profile: Native, Log: slog.New(slog.NewTextHandler(&log, nil))})
	mapAll(t, m, parts(1, []cdc.Change{s.remove("project", 1), s.remove("task_completion", 7), s.remove("task", 8)}))
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
}
