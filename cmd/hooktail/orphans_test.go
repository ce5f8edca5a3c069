package main

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// TestOrganizationHookGetsTheEventsOfADeletedProject: a project that is gone by the time
// its events are read still belongs to its organization, and the events keep their order.
func TestOrganizationHookGetsTheEventsOfADeletedProject(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with more to come", "at the end", "by a row that does not say where it belonged"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			p := start(t, db, "HOOKTAIL_SETTLE=0")
			delivered(t, db)
			p.end(t)
			db.Exec(t, "ALTER DATABASE "+db.Name+" SET session_replication_role = replica") // the other tables do not matter here
			annotation := db.QueryText(t, annotate, 13)
			db.Exec(t, "UPDATE task_completion SET updated_at = now(), lead_time = 3 WHERE id = $1", annotation)
			db.Exec(t, "INSERT INTO task (id, data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, "+
				"cancelled_annotations, total_predictions, comment_count, unresolved_comment_count) VALUES (1001, '{}', now(), now(), false, 2, 1, 0, 0, 0, 0, 0)")
			want := []string{"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "PROJECT_DELETED", "TASK_CREATED"}
			if name == "by a row that does not say where it belonged" { // the wait has to end
				db.Exec(t, "ALTER TABLE project REPLICA IDENTITY DEFAULT")
				want = nil
			}
			db.Exec(t, deleteProject(2))
			if name == "with more to come" {
				db.Exec(t, "UPDATE project SET updated_at = now() WHERE id = 1")
			}
			startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
			delivered(t, db)
			got := ofProject(t, c, 6, "2")
			if n := len(got); n > 0 && got[n-1] != "PROJECT_DELETED" {
				t.Errorf("events of the deleted project: %q, want its deletion last", got)
			}
			if slices.Index(got, "ANNOTATION_UPDATED") < slices.Index(got, "ANNOTATION_CREATED") {
				t.Errorf("events of the deleted project: %q, want those of the annotation in order", got)
			}
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("events of the deleted project at the organization's hook (-want +got):\n%s", diff)
			}
		})
	}
}

// ofProject are the actions of the project that have arrived at the hook, in order.
func ofProject(t *testing.T, c *conformance.Collector, hook int64, project string) []string {
	t.Helper()
	var got []string
	for _, r := range c.Take() {
		if r.Hook == hook && idOf(t, r.Body, "project") == project {
			got = append(got, r.Action)
		}
	}
	return got
}
