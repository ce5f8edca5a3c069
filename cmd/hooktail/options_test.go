package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// profiles are both sets of rules.
var profiles = []string{"guide", "native"}

// toldByHook is what each hook is told: the action and the ids of the rows.
func toldByHook(t *testing.T, requests []conformance.Request) map[int64][]string {
	t.Helper()
	all := map[int64][]string{}
	for _, r := range requests {
		var body struct {
			Annotations, Tasks  []struct{ ID int64 }
			Annotation, Project struct{ ID int64 }
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatalf("parse %s: %v", r.Action, err)
		}
		ids := []int64{}
		for _, row := range slices.Concat(body.Annotations, body.Tasks) {
			ids = append(ids, row.ID)
		}
		slices.Sort(ids)
		switch {
		case len(ids) > 0:
		case body.Annotation.ID != 0:
			ids = append(ids, body.Annotation.ID)
		case body.Project.ID != 0:
			ids = append(ids, body.Project.ID)
		}
		all[r.Hook] = append(all[r.Hook], fmt.Sprint(r.Action, " ", ids))
	}
	for _, lines := range all {
		slices.Sort(lines)
	}
	return all
}

// ofHooks are the requests of some hooks.
func ofHooks(requests []conformance.Request, hooks ...int64) []conformance.Request {
	var own []conformance.Request
	for _, r := range requests {
		if slices.Contains(hooks, r.Hook) {
			own = append(own, r)
		}
	}
	return own
}

// transactionOf is the statements as one, for Exec without arguments.
func transactionOf(statements ...string) string {
	return "BEGIN; " + strings.Join(statements, "; ") + "; COMMIT"
}

// TestDeletedRowsAreTold: HOOKTAIL_DELETED=row adds what the deleted annotations
// were, whatever deleted them; the default tells their ids alone.
func TestDeletedRowsAreTold(t *testing.T) {
	t.Parallel()
	steps := []struct {
		name, sql string
		guideOnly bool // native does not tell of annotations that go with their tasks
	}{
		{name: "one", sql: "DELETE FROM task_completion WHERE id = 1"},
		{name: "several", sql: "DELETE FROM task_completion WHERE id IN (2, 4, 5)"},
		{name: "several projects", sql: "DELETE FROM task_completion WHERE id IN (3, 8)"},
		{name: "in parts of a transaction", sql: transactionOf("DELETE FROM task_completion WHERE id = 12", "UPDATE task SET meta = '{}' WHERE id = 22")},
		{name: "with its task", guideOnly: true, sql: transactionOf("DELETE FROM task WHERE id = 5", "DELETE FROM task_completion WHERE task_id = 5")},
		{name: "with its task, in the Data Manager", guideOnly: true, sql: "UPDATE task SET project_id = NULL WHERE id = 6; " +
			transactionOf("DELETE FROM task WHERE id = 6", "DELETE FROM task_completion WHERE task_id = 6")},
	}
	annotationFields := recordedFields(t, nil, nil)["annotation"]
	for _, deleted := range []string{"id", "row"} {
		for _, profile := range profiles {
			t.Run(deleted+" "+profile, func(t *testing.T) {
				t.Parallel()
				db := cdctest.Postgres(t).LabelStudio(t)
				c := receive(t, db)
				start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+profile, "HOOKTAIL_DELETED="+deleted)
				for _, step := range steps {
					if step.guideOnly && profile == "native" {
						continue
					}
					before := annotationRowsOf(t, db)
					db.Exec(t, step.sql)
					delivered(t, db)
					after := annotationRowsOf(t, db)
					maps.DeleteFunc(before, func(id string, _ annotationRow) bool { _, there := after[id]; return there })
					got := map[string]annotationRow{}
					for _, r := range ofHooks(c.Take(), 6) {
						for id, fields := range deletedIn(t, r) {
							row := annotationRow{Task: string(fields["task"]), Project: string(fields["project"]), Result: string(fields["result"])}
							wanted := []string{"id"}
							if deleted == "row" {
								wanted = annotationFields
							} else {
								row = before[id] // nothing is said of it
							}
							if diff := cmp.Diff(wanted, slices.Sorted(maps.Keys(fields))); diff != "" {
								t.Errorf("%s: fields of annotation %s (-want +got):\n%s", step.name, id, diff)
							}
							got[id] = row
						}
					}
					if len(before) == 0 {
						t.Fatalf("%s: nothing was deleted", step.name)
					}
					if diff := cmp.Diff(before, got); diff != "" {
						t.Errorf("%s: deleted annotations (-want +got):\n%.2000s", step.name, diff)
					}
				}
			})
		}
	}
}

// annotationRow is what tells annotations apart, as JSON.
type annotationRow struct{ Task, Project, Result string }

// annotationsOf are all annotations of the database, by id.
func annotationRowsOf(t *testing.T, db *cdctest.Database) map[string]annotationRow {
	t.Helper()
	text := db.QueryText(t, "SELECT json_object_agg(id, json_build_array(task_id::text, project_id::text, result::text)) FROM task_completion")
	var rows map[string][3]string
	if err := json.Unmarshal([]byte(text), &rows); err != nil {
		t.Fatalf("read annotations: %v", err)
	}
	all := map[string]annotationRow{}
	for id, row := range rows {
		all[id] = annotationRow{Task: row[0], Project: row[1], Result: row[2]}
	}
	return all
}

// deletedIn are the rows of an ANNOTATIONS_DELETED, by id.
func deletedIn(t *testing.T, r conformance.Request) map[string]jsonRow {
	t.Helper()
	var body struct{ Annotations []jsonRow }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("parse body: %v", err)
	}
	all := map[string]jsonRow{}
	for _, row := range body.Annotations {
		all[string(row["id"])] = row
	}
	return all
}

// TestSecretsAreNotSentUnlessAskedFor: token and task_data_password of a project
// are null in every payload, and as stored with HOOKTAIL_SEND_SECRETS=true.
func TestSecretsAreNotSentUnlessAskedFor(t *testing.T) {
	t.Parallel()
	const function = `CREATE FUNCTION with_secrets() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN NEW.token = 'tok-7f'; NEW.task_data_password = 'pw-7f'; RETURN NEW; END $$`
	const trigger = "CREATE TRIGGER with_secrets BEFORE INSERT OR UPDATE ON project FOR EACH ROW EXECUTE FUNCTION with_secrets()"
	tasksCreated := map[string]string{"guide": "TASK_CREATED", "native": "TASKS_CREATED"}
	for _, tt := range []struct{ send, token, password string }{
		{"false", "null", "null"},
		{"true", `"tok-7f"`, `"pw-7f"`},
	} {
		for _, profile := range profiles {
			t.Run(tt.send+" "+profile, func(t *testing.T) {
				t.Parallel()
				db := cdctest.Postgres(t).LabelStudio(t)
				for _, sql := range []string{function, trigger, "UPDATE project SET title = title"} {
					db.Exec(t, sql)
				}
				c := receive(t, db)
				start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+profile, "HOOKTAIL_SEND_SECRETS="+tt.send)
				for _, scenario := range []string{"01-project-create", "02-project-update-title", "07-task-create-post", "18-annotation-create"} {
					db.Play(t, scenario)
				}
				db.Exec(t, "UPDATE task_completion SET lead_time = 4, updated_at = now() WHERE id = 1")
				db.Exec(t, "DELETE FROM task_completion WHERE id = 1")
				delivered(t, db)
				seen := map[string]bool{}
				for _, r := range ofHooks(c.Take(), 6) {
					project := rowsOf(t, r)["project"]
					if token, password := string(project["token"]), string(project["task_data_password"]); token != tt.token || password != tt.password {
						t.Errorf("%s: token = %s and task_data_password = %s, want %s and %s", r.Action, token, password, tt.token, tt.password)
					}
					if tt.send == "false" && strings.Contains(string(r.Body), "-7f") {
						t.Errorf("%s has a secret: %s", r.Action, r.Body)
					}
					seen[r.Action] = true
				}
				want := []string{"PROJECT_CREATED", "PROJECT_UPDATED", tasksCreated[profile], "ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED"}
				slices.Sort(want)
				if diff := cmp.Diff(want, slices.Sorted(maps.Keys(seen))); diff != "" {
					t.Errorf("actions (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestSoftDeletion: a project whose deleted_at is set is deleted, once; what was
// in it goes without saying. Cleared again, it is updated.
func TestSoftDeletion(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+profile)
			gone := map[int64][]string{6: {"PROJECT_DELETED [3]"}, 7: {"PROJECT_DELETED []"}} // 7 gets no payload
			for _, step := range []struct {
				name string
				do   func()
				want map[int64][]string
			}{
				{"marked", func() { db.Exec(t, "UPDATE project SET deleted_at = now(), updated_at = now() WHERE id = 3") }, gone},
				{"saved again while marked", func() { db.Exec(t, "UPDATE project SET deleted_at = now() WHERE id = 3") }, map[int64][]string{}},
				{
					"cleared", func() { db.Exec(t, "UPDATE project SET deleted_at = NULL, updated_at = now() WHERE id = 3") },
					map[int64][]string{6: {"PROJECT_UPDATED [3]"}, 8: {"PROJECT_UPDATED [3]"}},
				},
				{"marked, with an annotation deleted", func() {
					db.Exec(t, transactionOf("DELETE FROM task_completion WHERE id = 9", "UPDATE project SET deleted_at = now(), updated_at = now() WHERE id = 3"))
				}, gone},
				{"deleted for good", func() { db.Play(t, "62-project-delete") }, map[int64][]string{}},
			} {
				step.do()
				delivered(t, db)
				if diff := cmp.Diff(step.want, toldByHook(t, c.Take())); diff != "" {
					t.Errorf("%s: requests by hook (-want +got):\n%s", step.name, diff)
				}
			}
		})
	}
}

// deleteProject deletes a project with all that is in it, as the application
// does: the parent first, in the caller's transaction.
func deleteProject(id int) string {
	all := []string{fmt.Sprintf("DELETE FROM project WHERE id = %d", id)}
	for _, child := range []string{
		"tasks_annotationdraft WHERE task_id IN (SELECT id FROM task WHERE project_id = %d)",
		"task_completion WHERE project_id = %d", "prediction WHERE project_id = %d", "task WHERE project_id = %d",
		"webhook_action WHERE webhook_id IN (SELECT id FROM webhook WHERE project_id = %d)", "webhook WHERE project_id = %d",
		"data_import_fileupload WHERE project_id = %d", "data_manager_view WHERE project_id = %d",
		"projects_projectmember WHERE project_id = %d", "projects_projectsummary WHERE project_id = %d",
	} {
		all = append(all, fmt.Sprintf("DELETE FROM "+child, id))
	}
	return strings.Join(all, "; ")
}

// TestSeveralProjectsInOneTransaction: each deleted project is told to its
// organization, and of what was deleted besides only what was in none of them.
func TestSeveralProjectsInOneTransaction(t *testing.T) {
	t.Parallel()
	for _, profile := range profiles {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+profile)
			db.Exec(t, transactionOf("DELETE FROM task_completion WHERE id IN (1, 2)", deleteProject(3), deleteProject(4),
				"DELETE FROM task_completion WHERE id = 8", deleteProject(2)+"; DELETE FROM task_completion WHERE id = 4"))
			delivered(t, db)
			want := map[int64][]string{
				1:  {"ANNOTATIONS_DELETED [1 2 4]"},
				2:  {"ANNOTATIONS_DELETED []"},
				3:  {"ANNOTATIONS_DELETED [1 2 4]"},
				6:  {"ANNOTATIONS_DELETED [1 2 4]", "PROJECT_DELETED [2]", "PROJECT_DELETED [3]"},
				7:  {"PROJECT_DELETED []", "PROJECT_DELETED []"},
				10: {"PROJECT_DELETED [4]"},
			}
			if diff := cmp.Diff(want, toldByHook(t, c.Take())); diff != "" {
				t.Errorf("requests by hook (-want +got):\n%s", diff)
			}
		})
	}
}
