package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/replay"
)

// copied inserts a copy of row $1 of the table, with the members of $2 in place of
// its own, and returns its id.
func copied(t *testing.T, db *cdctest.Database, table string, id int, members string) string {
	t.Helper()
	columns := db.QueryText(t, `SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name = $1 AND is_generated = 'NEVER'`, table)
	return db.QueryText(t, fmt.Sprintf(`INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM (SELECT (jsonb_populate_record(r, $2::jsonb
		|| jsonb_build_object('id', nextval('%[1]s_id_seq'), 'created_at', now(), 'updated_at', now()))).*
		FROM %[1]s r WHERE id = $1) AS c RETURNING id`, table, columns), id, members)
}

// TestBackfillIsAsTheStream: the body of a row's event is the stream's, whatever the
// row and the profile.
func TestBackfillIsAsTheStream(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"guide", "native"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			variables := []string{"HOOKTAIL_SETTLE=100ms", "HOOKTAIL_PROFILE=" + profile}
			start(t, db, variables...)
			row := func(table string, id int, members string) string { return copied(t, db, table, id, members) }
			for _, tt := range []struct {
				name, action string
				insert       func() (id string)
				project      string // "": 1
			}{
				{"task", "TASK_CREATED", func() string { return row("task", 1, `{"data": {"n": 1.50, "text": "Grüße \u2028 \" 漢"}}`) }, ""},
				{"task with all that one can have", "TASKS_CREATED", func() string { return row("task", 7, `{"meta": [1, {"a": null}]}`) }, ""},
				{"large task", "TASK_CREATED", func() string { return row("task", 1, `{"data": {"text": "`+strings.Repeat("large ", 20000)+`"}}`) }, ""},
				{"annotation", "ANNOTATION_CREATED", func() string { return db.QueryText(t, annotate, 7) }, ""},
				{"skipped", "ANNOTATION_CREATED", func() string { return row("task_completion", 1, `{"was_cancelled": true, "unique_id": null}`) }, ""},
				{"copied prediction", "ANNOTATION_CREATED", func() string {
					return row("task_completion", 1, `{"parent_prediction_id": 1, "updated_by_id": null, "unique_id": null}`)
				}, ""},
				{"project", "PROJECT_CREATED", func() string { return row("project", 1, `{"title": "another", "token": "t"}`) }, "own"},
			} {
				id := tt.insert()
				delivered(t, db)
				sent := ofHook(c.Take(), 6)
				project := "1"
				if tt.project == "own" {
					project = id
				}
				n, err := strconv.Atoi(id)
				if err != nil {
					t.Fatalf("id %q: %v", id, err)
				}
				must(t, proctest.RoleEnviron(db, variables...), "backfill", "--hook", "6", "--project", project, "--action", tt.action, "--after", fmt.Sprint(n-1))
				again := ofHook(c.Take(), 6)
				if len(sent) != 1 || len(again) != 1 {
					t.Errorf("%s: the stream sent %d events, backfill %d, want 1 of each", tt.name, len(sent), len(again))
					continue
				}
				if !bytes.Equal(uncounted(sent[0].Body), uncounted(again[0].Body)) {
					t.Errorf("%s: the bodies differ, other than in spelling by:\n%s", tt.name, strings.Join(conformance.Diff(sent[0].Body, again[0].Body), "\n"))
				}
				if _, marked := sent[0].Headers["hooktail-origin"]; marked || again[0].Headers["hooktail-origin"] != "backfill" {
					t.Errorf("%s: hooktail-origin is %q", tt.name, again[0].Headers["hooktail-origin"])
				}
			}
		})
	}
}

// uncounted is the body without the project's counts, which the stream uses again
// for a while where it takes long to count.
func uncounted(body []byte) []byte {
	return regexp.MustCompile(`"(\w+_number|num_tasks_with_annotations)": \d+`).ReplaceAll(body, []byte(`"number"`))
}

func ofHook(requests []conformance.Request, hook int64) []conformance.Request {
	return slices.DeleteFunc(requests, func(r conformance.Request) bool { return r.Hook != hook })
}

// manyTasks gives project 3 n tasks and no other, made a minute apart, the last one
// now, with ids from 1001 on.
func manyTasks(t *testing.T, db *cdctest.Database, n int) {
	t.Helper()
	db.Exec(t, "UPDATE task SET project_id = 1 WHERE project_id = 3")
	db.Exec(t, `INSERT INTO task SELECT (jsonb_populate_record(r, jsonb_build_object('id', 1000 + n, 'project_id', 3,
		'created_at', now() - ($1::int - n) * interval '1 min'))).* FROM task r, generate_series(1, $1::int) n WHERE r.id = 1 ORDER BY random()`, n)
}

// tasksOf is the ids of the tasks that were created, in the order of their events.
func tasksOf(t *testing.T, requests []conformance.Request) []string {
	t.Helper()
	var ids []string
	for _, r := range requests {
		var body struct{ Tasks []struct{ ID json.Number } }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatalf("parse body: %v", err)
		}
		for _, task := range body.Tasks {
			ids = append(ids, task.ID.String())
		}
	}
	return ids
}

func numbers(from, to int) []string {
	var list []string
	for n := from; n <= to; n++ {
		list = append(list, fmt.Sprint(n))
	}
	return list
}

// tasksTo8 is the command line that all of these tests begin with.
var tasksTo8 = []string{"backfill", "--hook", "8", "--project", "3", "--action", "TASK_CREATED", "--rate", "60000/m"}

func TestBackfillChoice(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	const tasks = 2*replay.BackfillBatch + 20
	manyTasks(t, db, tasks)
	ids := map[string]bool{}
	for _, tt := range []struct {
		args string
		want []string
		says string
	}{
		{"", numbers(1001, 1000+tasks), "hook 8: 120 events delivered; the last row was 1120"},
		{"--dry-run", nil, "hook 8 would get 120 events"},
		{"--after 1100", numbers(1101, 1000+tasks), "20 events delivered"},
		{"--since 150s", numbers(1118, 1000+tasks), "3 events delivered"},
		{"--since 150s --after 1119", []string{"1120"}, "1 event delivered"},
		{"--after 1120", nil, "0 events delivered"},
	} {
		got := must(t, proctest.RoleEnviron(db), append(slices.Clone(tasksTo8), strings.Fields(tt.args)...)...)
		requests := c.Take()
		if diff := cmp.Diff(tt.want, tasksOf(t, requests)); diff != "" {
			t.Errorf("backfill %s (-want +got):\n%s", tt.args, diff)
		}
		if !strings.Contains(got, tt.says) {
			t.Errorf("backfill %s says %q, want %q", tt.args, got, tt.says)
		}
		for _, r := range requests {
			ids[r.Headers["webhook-id"]] = true
			if r.Action != "TASK_CREATED" {
				t.Errorf("action %s", r.Action)
			}
		}
	}
	if len(ids) != tasks {
		t.Errorf("%d ids of events, want one for each of the %d rows however often it is sent", len(ids), tasks)
	}
	for id := range ids {
		if !strings.HasPrefix(id, "backfill-task-1") || strings.Contains(id, ".") {
			t.Fatalf("webhook-id %s", id)
		}
	}
}

// TestBackfillSpelling: the hook gets what it chose, under the name that it chose.
func TestBackfillSpelling(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, "DELETE FROM task_completion")
	copied := func(cancelled bool) {
		db.Exec(t, strings.Replace(annotate, "1, 1, false", fmt.Sprintf("1, 1, %v", cancelled), 1), 7)
	}
	copied(false)
	copied(true)
	copied(false)
	for _, tt := range []struct{ hook, action, want, says string }{
		{"3", "ANNOTATION_CREATED", "ANNOTATION_CREATED ANNOTATION_CREATED", "1 row skipped"},
		{"6", "ANNOTATION_CREATED", "ANNOTATION_CREATED ANNOTATION_UPDATED ANNOTATION_CREATED", "3 events delivered; the last"},
		{"2", "ANNOTATION_CREATED", `{"action": "ANNOTATION_CREATED"} {"action": "ANNOTATION_UPDATED"} {"action": "ANNOTATION_CREATED"}`, "3 events"},
	} {
		got := must(t, proctest.RoleEnviron(db), "backfill", "--hook", tt.hook, "--project", "1", "--action", tt.action)
		var list []string
		for _, r := range c.Take() {
			if tt.hook == "2" { // has no payload
				r.Action = string(r.Body)
			}
			list = append(list, r.Action)
		}
		if diff := cmp.Diff(tt.want, strings.Join(list, " ")); diff != "" {
			t.Errorf("hook %s (-want +got):\n%s", tt.hook, diff)
		}
		if !strings.Contains(got, tt.says) {
			t.Errorf("hook %s: %q, want %q", tt.hook, got, tt.says)
		}
	}
	must(t, proctest.RoleEnviron(db), "backfill", "--hook", "3", "--project", "1", "--action", "TASK_CREATED")
	if requests := c.Take(); len(requests) == 0 || requests[0].Action != "TASKS_CREATED" {
		t.Errorf("hook 3 chose TASKS_CREATED and got %d events, not under this name", len(requests))
	}
}

// TestBackfillSigns: with the hook's secret, as the stream's requests are signed.
func TestBackfillSigns(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	manyTasks(t, db, 1)
	keyed := proctest.RoleEnviron(db, "HOOKTAIL_SECRET_KEY="+strings.Repeat("0a", 32))
	must(t, keyed, "hooks", "secret", "set", "8")
	must(t, keyed, tasksTo8...)
	requests := c.Take()
	if len(requests) != 1 || !strings.HasPrefix(requests[0].Headers["webhook-signature"], "v1,") {
		t.Errorf("%d requests, not signed", len(requests))
	}
	code, _, stderr := command(proctest.RoleEnviron(db), tasksTo8...)
	if n := len(c.Take()); code != exitFailed || n > 0 || !strings.Contains(stderr, "HOOKTAIL_SECRET_KEY") {
		t.Errorf("without the key: exit code %d, %d requests:\n%s", code, n, stderr)
	}
}

// TestBackfillPassesOver: a project that is deleted has not just been created.
func TestBackfillPassesOver(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, "UPDATE project SET deleted_at = now() WHERE id = 3")
	got := must(t, proctest.RoleEnviron(db), "backfill", "--hook", "6", "--project", "3", "--action", "PROJECT_CREATED")
	if want := "hook 6: 0 events delivered; 1 row skipped, without an event that the hook wants; the last row was 3\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if n := len(c.Take()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
