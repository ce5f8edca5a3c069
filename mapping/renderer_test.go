package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktail/hooktail/cdc"
)

// run maps, locates and renders what was committed since the last call.
func (s *slot) run(t *testing.T, o Options) []*Event {
	t.Helper()
	events := mapAll(t, NewMapper(o), s.parts(t))
	if err := NewLocator(s.pool, o).Locate(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	if err := NewRenderer(s.pool, o).Render(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	return events
}

// payload is the only event's, decoded.
func payload(t *testing.T, events []*Event, want Action) map[string]any {
	t.Helper()
	if len(events) != 1 || events[0].Action != want {
		t.Fatalf("events %q, want one %s", tellAll(events), want)
	}
	var body map[string]any
	if err := json.Unmarshal(events[0].Body(want, true).Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			v = v.(map[string]any)[step]
		case int:
			v = v.([]any)[step]
		}
	}
	return v
}

const insertTask = `INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations,
	cancelled_annotations, total_predictions, comment_count, unresolved_comment_count)
	VALUES ('{"text": "new"}', now(), now(), false, 1, 1, 0, 0, 0, 0, 0)`

// The guide's TASK_CREATED has one task, as of its commit or as it is later.
func TestTaskCreated(t *testing.T) {
	for name, test := range map[string]struct {
		settle  time.Duration
		labeled bool
	}{"at once": {0, false}, "settled": {time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "FULL")
			s.db.Exec(t, insertTask)
			s.db.Exec(t, "UPDATE task SET is_labeled = true WHERE id = (SELECT max(id) FROM task)")
			body := payload(t, s.run(t, Options{Settle: test.settle}), TaskCreated)
			if got := at(t, body, "tasks", 0, "is_labeled"); got != test.labeled {
				t.Errorf("is_labeled %v, want %v", got, test.labeled)
			}
			if diff := cmp.Diff([]any{}, at(t, body, "tasks", 0, "comment_authors")); diff != "" {
				t.Errorf("comment_authors (-want +got):\n%s", diff)
			}
			if got := len(at(t, body, "tasks", 0).(map[string]any)); got != 20 {
				t.Errorf("%d fields, want 20", got)
			}
		})
	}
}

// TestCommentAuthorsInAColumn: a version of Label Studio that has them in a column is believed,
// also where the task is as of its commit.
func TestCommentAuthorsInAColumn(t *testing.T) {
	for name, settle := range map[string]time.Duration{"at once": 0, "settled": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "FULL")
			s.db.Exec(t, "ALTER TABLE task ADD COLUMN comment_authors jsonb DEFAULT '[7]'")
			s.db.Exec(t, insertTask)
			body := payload(t, s.run(t, Options{Settle: settle}), TaskCreated)
			if diff := cmp.Diff([]any{7.0}, at(t, body, "tasks", 0, "comment_authors")); diff != "" {
				t.Errorf("comment_authors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommentAuthorsAreListed(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, "INSERT INTO task_comment_authors (task_id, user_id) VALUES (5, 2), (5, 1)")
	s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = (SELECT min(id) FROM task_completion WHERE task_id = 5)")
	body := payload(t, s.run(t, Options{}), AnnotationUpdated)
	if diff := cmp.Diff([]any{2.0, 1.0}, at(t, body, "task", "comment_authors")); diff != "" {
		t.Errorf("comment_authors (-want +got):\n%s", diff)
	}
}

func TestSecretsAreNullUnlessAskedFor(t *testing.T) {
	s := newSlot(t, "FULL")
	for _, send := range []bool{false, true} {
		s.db.Exec(t, "UPDATE project SET updated_at = now(), task_data_password = 'hidden' WHERE id = 1")
		body := payload(t, s.run(t, Options{SendSecrets: send}), ProjectUpdated)
		if token := at(t, body, "project", "token"); (token != nil) != send {
			t.Errorf("send %v: token %v", send, token)
		}
		if password := at(t, body, "project", "task_data_password"); (password != nil) != send {
			t.Errorf("send %v: password %v", send, password)
		}
	}
}

// What is gone when the payload is built is its id, counted; new rows are as of
// their commit; and what cannot be had is left out, never null.
func TestGoneMeanwhile(t *testing.T) {
	s := newSlot(t, "DEFAULT")
	m := NewMetrics(prometheus.NewRegistry())
	s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = 12") // its result is TOASTed
	s.db.Exec(t, `SET session_replication_role = replica; DELETE FROM task_completion WHERE id = 12;
		DELETE FROM task WHERE id = 22; DELETE FROM project WHERE id = 1`)
	o := Options{Metrics: m}
	events := mapAll(t, NewMapper(o), s.parts(t))[:1]
	if err := NewRenderer(s.pool, o).Render(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	body := payload(t, events, AnnotationUpdated)
	if diff := cmp.Diff(map[string]any{"id": 22.0}, body["task"]); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"id": 1.0}, body["project"]); diff != "" {
		t.Errorf("project (-want +got):\n%s", diff)
	}
	if result, ok := body["annotation"].(map[string]any)["result"]; ok {
		t.Errorf("result is %v, want it left out", result)
	}
	for name, got := range map[string]float64{
		"task": testutil.ToFloat64(m.gone[task]), "project": testutil.ToFloat64(m.gone[project]), "column": testutil.ToFloat64(m.omitted),
	} {
		if got != 1 {
			t.Errorf("%s counted %v times, want once", name, got)
		}
	}
}

func TestProjectGoneMeanwhileIsAsOfItsCommit(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, "UPDATE project SET title = 'last', updated_at = now() WHERE id = 1")
	s.db.Exec(t, "SET session_replication_role = replica; DELETE FROM project WHERE id = 1")
	events := s.run(t, Options{})
	body := payload(t, events[:1], ProjectUpdated)
	if got := at(t, body, "project", "title"); got != "last" {
		t.Errorf("title %v, want it as of the commit", got)
	}
	if _, ok := body["project"].(map[string]any)["task_number"]; ok {
		t.Error("counts of a project that is gone")
	}
	if got := string(events[1].Body(ProjectDeleted, true).Bytes()); got != `{"action": "PROJECT_DELETED", "project": {"id": 1}}` {
		t.Errorf("deletion is %s", got)
	}
}

func TestDeletedRows(t *testing.T) {
	for name, test := range map[string]struct {
		identity string
		rows     bool
		fields   int
	}{
		"rows": {"FULL", true, 21}, "ids": {"FULL", false, 1}, "rows not known": {"DEFAULT", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, test.identity)
			s.db.Exec(t, "UPDATE task_completion SET result_count = result_count WHERE id = 12") // to know its project
			s.db.Exec(t, "DELETE FROM task_completion WHERE id = 12")
			events := s.run(t, Options{DeletedRows: test.rows, Profile: Native})
			body := payload(t, events[len(events)-1:], AnnotationsDeleted)
			deleted := at(t, body, "annotations", 0).(map[string]any)
			if len(deleted) != test.fields || deleted["id"] != 12.0 {
				t.Errorf("%d fields of annotation %v, want %d of 12", len(deleted), deleted["id"], test.fields)
			}
		})
	}
}

// The events of a batch share their project's JSON, and its size.
func TestProjectIsEncodedOnce(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE project_id = 1")
	events := s.run(t, Options{})
	if len(events) < 2 {
		t.Fatalf("events %q, want several", tellAll(events))
	}
	for _, e := range events[1:] {
		if e.nested != events[0].nested {
			t.Errorf("%s has a project of its own", e.ID)
		}
	}
	if events[0].nested.shared != len(events) {
		t.Errorf("shared by %d, want %d", events[0].nested.shared, len(events))
	}
	all := len(events[0].nested.json)
	if own, shared, key := events[1].BytesApart(); shared != all || key != events[0].nested || events[1].Bytes() != own+all/len(events) {
		t.Errorf("%d bytes of its own and %d shared, %d in all; the project has %d", own, shared, events[1].Bytes(), all)
	}
	before := string(events[0].Body(AnnotationUpdated, true).Bytes())
	if err := NewRenderer(s.pool, Options{}).Render(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	if after := string(events[0].Body(AnnotationUpdated, true).Bytes()); after != before {
		t.Error("rendering again changed the body")
	}
}

func TestBody(t *testing.T) {
	e := Event{Payload: []byte(`"task": {}`), nested: &nested{json: []byte(`"project": {}`), shared: 1}}
	for _, test := range []struct {
		payload bool
		want    string
	}{
		{true, `{"action": "TASKS_CREATED", "task": {}, "project": {}}`},
		{false, `{"action": "TASKS_CREATED"}`},
	} {
		if got := string(e.Body(TasksCreated, test.payload).Bytes()); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// A row that could not be kept until the commit is read by its key.
func TestRowThatWasNotKeptIsRead(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = 12")
	part := s.parts(t)
	events := append(mapAll(t, NewMapper(Options{}), part), mapAll(t, NewMapper(Options{}), part)...)
	events[1].subject.image = image{}
	if err := NewRenderer(s.pool, Options{}).Render(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(events[0].Payload), string(events[1].Payload)); diff != "" {
		t.Errorf("payload (-kept +read):\n%s", diff)
	}
}

// A new column flows into the payload, and its foreign key is known.
func TestNewColumnIsSent(t *testing.T) {
	s := newSlot(t, "FULL")
	o := Options{}
	renderer := NewRenderer(s.pool, o)
	mapper := NewMapper(o)
	for i, sql := range []string{
		"",
		"ALTER TABLE project ADD owner_id integer REFERENCES htx_user; ALTER TABLE task ADD lead_id integer REFERENCES htx_user",
		"ALTER TABLE task_completion ADD reviewer_id integer REFERENCES htx_user, ADD external_id text DEFAULT 'x'",
	} {
		if sql != "" {
			s.db.Exec(t, sql)
		}
		s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = 12")
		events := mapAll(t, mapper, s.parts(t))
		if err := renderer.Render(context.Background(), events); err != nil {
			t.Fatal(err)
		}
		body := payload(t, events, AnnotationUpdated)
		for _, field := range []struct {
			of, name string
			since    int
		}{{"project", "owner", 1}, {"task", "lead", 1}, {"annotation", "reviewer", 2}, {"annotation", "external_id", 2}} {
			if _, ok := body[field.of].(map[string]any)[field.name]; ok != (i >= field.since) {
				t.Errorf("round %d: %s of the %s is there: %v", i, field.name, field.of, ok)
			}
		}
	}
}

// A table without the later columns and tables of Label Studio does as well.
func TestOlderSchema(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, `ALTER TABLE task_completion DROP project_id; ALTER TABLE prediction DROP project_id; DROP TABLE task_comment_authors;
		ALTER TABLE project DROP deleted_at`)
	s.db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = 12")
	events := s.run(t, Options{})
	body := payload(t, events, AnnotationUpdated)
	if events[0].Project != 1 || events[0].Organization != 1 {
		t.Errorf("project %d of organization %d, want 1 of 1", events[0].Project, events[0].Organization)
	}
	if got := at(t, body, "project", "total_annotations_number"); got == 0.0 {
		t.Error("annotations are not counted by their tasks")
	}
}

func TestLocatorKnowsProjectsThatAreGone(t *testing.T) {
	s := newSlot(t, "DEFAULT")
	l := NewLocator(s.pool, Options{})
	if err := l.Locate(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	s.db.Exec(t, "SET session_replication_role = replica; DELETE FROM project WHERE id = 3")
	events := mapAll(t, NewMapper(Options{}), s.parts(t))
	events = append(events, &Event{Project: 99}, &Event{Task: 99})
	if err := l.Locate(context.Background(), events); err != nil {
		t.Fatal(err)
	}
	if events[0].Organization != 1 || events[1].Organization != 0 || events[2].Project != 0 {
		t.Errorf("organizations %d, %d and project %d, want 1, 0 and 0", events[0].Organization, events[1].Organization, events[2].Project)
	}
}

var errDatabase = errors.New("the database does not answer")

// deaf is a database that does not answer.
type deaf struct{}

func (deaf) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errDatabase }

func (deaf) AcquireFunc(context.Context, func(*pgxpool.Conn) error) error { return errDatabase }

func TestDatabaseErrorsAreReturned(t *testing.T) {
	events := []*Event{{
		Action: AnnotationUpdated, Project: 1, Task: 5,
		subject: subject{relation: newSchema(fullKey)["task_completion"], id: 7},
	}}
	if err := NewLocator(deaf{}, Options{}).Locate(context.Background(), events); !errors.Is(err, errDatabase) {
		t.Errorf("locate: %v", err)
	}
	if err := NewRenderer(deaf{}, Options{}).Render(context.Background(), events); !errors.Is(err, errDatabase) {
		t.Errorf("render: %v", err)
	}
	if events[0].Payload != nil || events[0].subject.relation == nil {
		t.Error("the event cannot be rendered again")
	}
}

func TestMetricsAreThereFromTheStart(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	if n := testutil.CollectAndCount(reg, "hooktail_events_total"); n != 10 {
		t.Errorf("%d actions, want 10", n)
	}
	if n := testutil.CollectAndCount(reg, "hooktail_changes_total"); n != 16 {
		t.Errorf("%d tables and operations, want 16", n)
	}
	s := newSchema(fullKey)
	mapAll(t, NewMapper(Options{Metrics: m}), parts(1, []cdc.Change{s.insert("task", 5, 1, "{}"), s.insert("webhook", 1)}))
	want := `# HELP hooktail_events_total Events made from committed changes.
# TYPE hooktail_events_total counter
hooktail_events_total{action="TASK_CREATED"} 1
`
	for _, a := range actions {
		if a != TaskCreated {
			want += `hooktail_events_total{action="` + string(a) + `"} 0` + "\n"
		}
	}
	if err := testutil.CollectAndCompare(reg, strings.NewReader(want), "hooktail_events_total"); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(m.changes[other][0]); got != 1 {
		t.Errorf("%v inserts into other tables, want 1", got)
	}
}
