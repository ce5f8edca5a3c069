package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// jsonRow is the JSON object of a row.
type jsonRow map[string]json.RawMessage

// rowsOf reads the members of a body that are rows.
func rowsOf(t *testing.T, r conformance.Request) map[string]jsonRow {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &members); err != nil {
		t.Fatalf("parse body: %v", err)
	}
	all := map[string]jsonRow{}
	for name, value := range members {
		if bytes.HasPrefix(value, []byte("{")) {
			var row jsonRow
			if err := json.Unmarshal(value, &row); err != nil {
				t.Fatalf("parse %s: %v", name, err)
			}
			all[name] = row
		}
	}
	return all
}

// fieldsOf are the names of the fields of each row of a body.
func fieldsOf(t *testing.T, r conformance.Request) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for name, row := range rowsOf(t, r) {
		all[name] = slices.Sorted(maps.Keys(row))
	}
	return all
}

// recordedFields are those of annotation, task and project in Label Studio's own
// ANNOTATION_CREATED, with some left out and others added.
func recordedFields(t *testing.T, without, with map[string][]string) map[string][]string {
	t.Helper()
	for _, s := range loadScenarios(t) {
		if s.Name != "18-annotation-create" {
			continue
		}
		fields := fieldsOf(t, s.Expected[0])
		for row, names := range without {
			fields[row] = slices.DeleteFunc(fields[row], func(name string) bool { return slices.Contains(names, name) })
		}
		for row, names := range with {
			fields[row] = append(fields[row], names...)
			slices.Sort(fields[row])
		}
		return fields
	}
	t.Fatal("no scenario 18-annotation-create")
	return nil
}

// schemaTest plays a few changes on a database with other columns.
type schemaTest struct {
	db *cdctest.Database
	c  *conformance.Collector
}

func newSchemaTest(t *testing.T, profile string, ddl ...string) *schemaTest {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	for _, sql := range ddl {
		db.Exec(t, sql)
	}
	s := &schemaTest{db: db, c: receive(t, db)}
	start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+profile)
	return s
}

// after runs a statement and returns what hook 6, which gets everything of the
// organization, is told of it.
func (s *schemaTest) after(t *testing.T, sql string) []conformance.Request {
	t.Helper()
	s.db.Exec(t, sql)
	delivered(t, s.db)
	var own []conformance.Request
	for _, r := range s.c.Take() {
		if r.Hook == 6 {
			own = append(own, r)
		}
	}
	return own
}

// one is after, for statements that make one event.
func (s *schemaTest) one(t *testing.T, action, sql string) conformance.Request {
	t.Helper()
	got := s.after(t, sql)
	if len(got) != 1 || got[0].Action != action {
		t.Fatalf("after %q: %d requests, want one %s: %+v", sql, len(got), action, got)
	}
	return got[0]
}

// annotateOld is an annotation by the columns that every version has.
const annotateOld = `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, was_cancelled, ground_truth, created_at, updated_at, prediction, result_count)
	VALUES ('[]', 7, 1, 1, false, false, now(), now(), '{}', 0)`

// TestOldSchema: columns that a version does not have yet are absent from its
// payloads, and nothing else is different.
func TestOldSchema(t *testing.T) {
	t.Parallel()
	drop := []string{
		"ALTER TABLE project DROP COLUMN search_vector, DROP COLUMN deleted_at, DROP COLUMN deleted_by_id, DROP COLUMN purge_at, " +
			"DROP COLUMN custom_task_lock_ttl, DROP COLUMN annotator_evaluation_enabled",
		"ALTER TABLE task DROP COLUMN allow_skip, DROP COLUMN precomputed_agreement",
		"ALTER TABLE task_completion DROP COLUMN bulk_created, DROP COLUMN import_id, DROP COLUMN unique_id, " +
			"DROP COLUMN last_action, DROP COLUMN draft_created_at, DROP COLUMN updated_by_id",
		"ALTER TABLE webhook DROP COLUMN created_at, DROP COLUMN updated_at",
		"DROP TABLE task_comment_authors",
	}
	fields := recordedFields(t, map[string][]string{
		"project":    {"search_vector", "deleted_at", "deleted_by", "purge_at", "custom_task_lock_ttl", "annotator_evaluation_enabled"},
		"task":       {"allow_skip", "precomputed_agreement"},
		"annotation": {"bulk_created", "import_id", "unique_id", "last_action", "draft_created_at", "updated_by"},
	}, nil)
	for _, tt := range []struct{ profile, deleted string }{{"guide", "ANNOTATIONS_DELETED"}, {"native", "TASKS_DELETED"}} {
		t.Run(tt.profile, func(t *testing.T) {
			t.Parallel()
			s := newSchemaTest(t, tt.profile, drop...)
			created := s.one(t, "ANNOTATION_CREATED", annotateOld)
			if diff := cmp.Diff(fields, fieldsOf(t, created)); diff != "" {
				t.Errorf("fields of ANNOTATION_CREATED (-want +got):\n%s", diff)
			}
			updated := s.one(t, "PROJECT_UPDATED", "UPDATE project SET title = 'old', updated_at = now() WHERE id = 1")
			if diff := cmp.Diff(map[string][]string{"project": fields["project"]}, fieldsOf(t, updated)); diff != "" {
				t.Errorf("fields of PROJECT_UPDATED (-want +got):\n%s", diff)
			}
			s.one(t, "ANNOTATION_UPDATED", "UPDATE task_completion SET lead_time = 3, updated_at = now() WHERE id = 1")
			s.one(t, "ANNOTATIONS_DELETED", "DELETE FROM task_completion WHERE id = 1")
			s.one(t, tt.deleted, "WITH a AS (DELETE FROM task_completion WHERE task_id = 5) DELETE FROM task WHERE id = 5")
			s.one(t, "PROJECT_DELETED", "WITH a AS (DELETE FROM task_completion WHERE task_id IN (13, 14, 15)), "+
				"t AS (DELETE FROM task WHERE project_id = 2), m AS (DELETE FROM projects_projectmember WHERE project_id = 2), "+
				"u AS (DELETE FROM projects_projectsummary WHERE project_id = 2), v AS (DELETE FROM data_manager_view WHERE project_id = 2), "+
				"p AS (DELETE FROM prediction WHERE project_id = 2) DELETE FROM project WHERE id = 2")
		})
	}
}

// novelties are columns as later versions may have them, of types that hooktail
// knows nothing of.
const novelties = `ADD COLUMN mood mood DEFAULT 'good', ADD COLUMN tags text[] DEFAULT '{a,"b c"}', ADD COLUMN grade grade DEFAULT 3,
	ADD COLUMN address inet DEFAULT '10.0.0.1', ADD COLUMN price numeric DEFAULT 12345678901234567890.10, ADD COLUMN took interval DEFAULT '1 day 02:03:04',
	ADD COLUMN reviewer_id integer DEFAULT 2 REFERENCES htx_user DEFERRABLE INITIALLY DEFERRED, ADD COLUMN external_id integer DEFAULT 7`

// TestNewSchema: columns of later versions are in the payloads under their names,
// foreign keys without _id, values in JSON as far as they are known to be of a
// type that JSON has, else as PostgreSQL writes them.
func TestNewSchema(t *testing.T) {
	t.Parallel()
	add := []string{
		"CREATE TYPE mood AS ENUM ('good', 'bad')",
		"CREATE DOMAIN grade AS integer CHECK (VALUE BETWEEN 1 AND 5)",
		"ALTER TABLE project " + novelties, "ALTER TABLE task " + novelties, "ALTER TABLE task_completion " + novelties,
		"ALTER TABLE webhook ADD COLUMN consecutive_failures integer DEFAULT 3, ADD COLUMN last_failure jsonb DEFAULT '{\"status\": 500}'",
	}
	want := map[string]string{
		"mood": `"good"`, "tags": `"{a,\"b c\"}"`, "grade": `3`, "address": `"10.0.0.1"`, "price": `12345678901234567890.10`,
		"took": `"1 day 02:03:04"`, "reviewer": `2`, "external_id": `7`,
	}
	added := slices.Sorted(maps.Keys(want))
	fields := recordedFields(t, nil, map[string][]string{"project": added, "task": added, "annotation": added})
	for _, profile := range []string{"guide", "native"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			s := newSchemaTest(t, profile, add...)
			created := s.one(t, "ANNOTATION_CREATED", annotateOld)
			if diff := cmp.Diff(fields, fieldsOf(t, created)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
			for name, row := range rowsOf(t, created) {
				got := map[string]string{}
				for _, field := range added {
					got[field] = string(row[field])
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("new fields of %s (-want +got):\n%s", name, diff)
				}
			}
			updated := s.one(t, "ANNOTATION_UPDATED", "UPDATE task_completion SET reviewer_id = NULL, updated_at = now() WHERE id = 1")
			if got := string(rowsOf(t, updated)["annotation"]["reviewer"]); got != "null" {
				t.Errorf("reviewer = %s, want null", got)
			}
		})
	}
}

// TestSchemaChangesWhileRunning: a column appears in, and disappears from, the
// payloads with the next event after the table was altered.
func TestSchemaChangesWhileRunning(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"guide", "native"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			s := newSchemaTest(t, profile)
			check := func(without, with map[string][]string) conformance.Request {
				t.Helper()
				r := s.one(t, "ANNOTATION_CREATED", annotateOld)
				if diff := cmp.Diff(recordedFields(t, without, with), fieldsOf(t, r)); diff != "" {
					t.Errorf("fields (-want +got):\n%s", diff)
				}
				return r
			}
			check(nil, nil)
			for _, table := range []string{"project", "task", "task_completion"} {
				s.db.Exec(t, "ALTER TABLE "+table+" ADD COLUMN reviewer_id integer DEFAULT 2 REFERENCES htx_user, ADD COLUMN note text DEFAULT 'new'")
			}
			added := []string{"note", "reviewer"}
			with := map[string][]string{"project": added, "task": added, "annotation": added}
			for name, row := range rowsOf(t, check(nil, with)) {
				if string(row["note"]) != `"new"` || string(row["reviewer"]) != "2" {
					t.Errorf("%s: note = %s and reviewer = %s, want \"new\" and 2", name, row["note"], row["reviewer"])
				}
			}
			s.db.Exec(t, "ALTER TABLE project DROP COLUMN color")
			s.db.Exec(t, "ALTER TABLE task DROP COLUMN allow_skip, DROP COLUMN note")
			s.db.Exec(t, "ALTER TABLE task_completion DROP COLUMN reviewer_id, DROP COLUMN last_action")
			check(map[string][]string{"project": {"color"}, "task": {"allow_skip"}, "annotation": {"last_action"}},
				map[string][]string{"project": added, "task": {"reviewer"}, "annotation": {"note"}})
			s.db.Exec(t, "ALTER TABLE task_completion RENAME COLUMN note TO remark")
			check(map[string][]string{"project": {"color"}, "task": {"allow_skip"}, "annotation": {"last_action"}},
				map[string][]string{"project": added, "task": {"reviewer"}, "annotation": {"remark"}})
		})
	}
}
