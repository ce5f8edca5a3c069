//go:build long

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// replayed is what a hook of an organization knows of the rows.
type replayed struct {
	projects    map[int64]json.RawMessage
	annotations map[int64]annotation
}

// after is what the hook knows once it has been told more.
func (r replayed) after(deliveries []delivery) replayed {
	r = replayed{maps.Clone(r.projects), maps.Clone(r.annotations)}
	for _, d := range deliveries {
		for _, a := range d.annotations {
			r.annotations[a.id] = a
		}
		for _, id := range d.erased {
			delete(r.annotations, id)
		}
		switch d.action {
		case "PROJECT_CREATED", "PROJECT_UPDATED":
			r.projects[d.project] = without(d.row, counts...)
		case "PROJECT_DELETED":
			delete(r.projects, d.project)
			maps.DeleteFunc(r.annotations, func(_ int64, a annotation) bool { return a.project == d.project })
		case "TASKS_DELETED":
			maps.DeleteFunc(r.annotations, func(_ int64, a annotation) bool { return slices.Contains(d.tasks, a.task) })
		}
	}
	return r
}

// counts are the members of a project that are no columns.
var counts = []string{
	"task_number", "finished_task_number", "total_predictions_number", "total_annotations_number",
	"num_tasks_with_annotations", "useful_annotation_number", "ground_truth_number", "skipped_annotations_number",
}

// checkRows: replaying what the hook was told gives the rows that the database
// has, all of them and no other.
func (w *world) checkRows(t *testing.T, organization int64, deliveries []delivery) {
	t.Helper()
	got, want := w.base[organization].after(deliveries), stored(t, w.db, organization)
	for _, s := range w.sessions {
		if s.organization != organization {
			continue
		}
		for id, a := range s.committed.annotations {
			switch {
			case a.untold && w.native: // by the rules it is known only after it changes
				delete(want.annotations, id)
			case a.quiet:
				want.annotations[id] = want.annotations[id].without("updated_by")
				got.annotations[id] = got.annotations[id].without("updated_by")
			}
		}
		for id, p := range s.committed.projects {
			if p.stale {
				delete(want.projects, id)
				delete(got.projects, id)
			}
		}
	}
	w.compareRows(t, "annotation", bodies(want.annotations), bodies(got.annotations))
	w.compareRows(t, "project", want.projects, got.projects)
}

func bodies(annotations map[int64]annotation) map[int64]json.RawMessage {
	all := map[int64]json.RawMessage{}
	for id, a := range annotations {
		all[id] = a.body
	}
	return all
}

func (w *world) compareRows(t *testing.T, table string, want, got map[int64]json.RawMessage) {
	t.Helper()
	for id, row := range want {
		if got[id] == nil {
			w.fault(t, "%s %d is in the database, and nobody was told", table, id)
			continue
		}
		for _, line := range conformance.Diff(row, got[id]) {
			w.fault(t, "%s %d is not as it was told: %s", table, id, line)
		}
	}
	for id := range got {
		if want[id] == nil {
			w.fault(t, "%s %d was told and is not in the database", table, id)
		}
	}
}

// stored are the rows of an organization in the database, as payloads show them.
func stored(t *testing.T, db *cdctest.Database, organization int64) replayed {
	t.Helper()
	r := replayed{map[int64]json.RawMessage{}, map[int64]annotation{}}
	eachRow(t, db, `SELECT p.id, to_jsonb(p)::text FROM project p WHERE organization_id = $1 AND deleted_at IS NULL`,
		organization, func(id int64, row json.RawMessage) { r.projects[id] = asProject(row) })
	eachRow(t, db, `SELECT a.id, to_jsonb(a)::text FROM task_completion a JOIN project p ON p.id = a.project_id
		WHERE p.organization_id = $1 AND p.deleted_at IS NULL`,
		organization, func(id int64, row json.RawMessage) { r.annotations[id] = parseAnnotation(asAnnotation(row)) })
	return r
}

func eachRow(t *testing.T, db *cdctest.Database, sql string, organization int64, each func(id int64, row json.RawMessage)) {
	t.Helper()
	found, err := db.Connect(t).Query(context.Background(), sql, organization)
	if err != nil {
		t.Fatalf("read rows: %v", err)
	}
	var id int64
	var text string
	_, err = pgx.ForEachRow(found, []any{&id, &text}, func() error {
		each(id, json.RawMessage(text))
		return nil
	})
	if err != nil {
		t.Fatalf("read rows: %v", err)
	}
}

// checkTasks: a task is shown in one of the states that were committed; without
// its columns only if it was deleted in the end.
func (w *world) checkTasks(t *testing.T, deliveries []delivery) {
	t.Helper()
	for _, d := range deliveries {
		for _, row := range d.taskRows {
			id := parseID(row)
			s := w.ownerOf(id)
			if s == nil {
				w.fault(t, "event %s shows task %d, which was never committed", d.id, id)
				continue
			}
			if _, exists := s.committed.tasks[id]; !exists && len(without(row, "id")) == len("{}") {
				continue
			}
			if !slices.ContainsFunc(s.states[id], func(state json.RawMessage) bool { return conformance.Diff(state, row) == nil }) {
				w.fault(t, "event %s shows task %d as it never was; at last: %v", d.id, id, conformance.Diff(s.states[id][len(s.states[id])-1], row))
			}
		}
	}
}

// ownerOf is the session that committed the task.
func (w *world) ownerOf(task int64) *session {
	for _, s := range w.sessions {
		if s.states[task] != nil {
			return s
		}
	}
	return nil
}

func asTask(row json.RawMessage) json.RawMessage {
	return asPayload(bytes.Replace(row, []byte("{"), []byte(`{"comment_authors": [], `), 1), "inner_id")
}

func asAnnotation(row json.RawMessage) json.RawMessage {
	return asPayload(row, "unique_id", "import_id")
}

func asProject(row json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(asPayload(row), &members); err != nil {
		return row
	}
	members["token"], members["task_data_password"] = json.RawMessage("null"), json.RawMessage("null")
	return marshal(members)
}

// asPayload is a row by to_jsonb as payloads show it: foreign keys without _id,
// timestamps in Label Studio's form.
func asPayload(row json.RawMessage, noReferences ...string) json.RawMessage {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(row, &all); err != nil {
		return row // which is equal to nothing
	}
	shown := map[string]json.RawMessage{}
	for column, value := range all {
		name := column
		if !slices.Contains(noReferences, column) {
			name = strings.TrimSuffix(column, "_id")
		}
		if strings.HasSuffix(column, "_at") {
			value = asTime(value)
		}
		shown[name] = value
	}
	return marshal(shown)
}

// asTime has six digits of fraction, or none at all if they are zero.
func asTime(value json.RawMessage) json.RawMessage {
	var at *time.Time
	if err := json.Unmarshal(value, &at); err != nil || at == nil {
		return value
	}
	layout := "2006-01-02T15:04:05.000000Z"
	if at.Nanosecond() == 0 {
		layout = "2006-01-02T15:04:05Z"
	}
	return marshal(at.UTC().Format(layout))
}

func (a annotation) without(names ...string) annotation {
	a.body = without(a.body, names...)
	return a
}

// without is the object without some of its members.
func without(object json.RawMessage, names ...string) json.RawMessage {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return object
	}
	for _, name := range names {
		delete(members, name)
	}
	return marshal(members)
}

func marshal(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage(err.Error()) // which is equal to nothing
	}
	return text
}
