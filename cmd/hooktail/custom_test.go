package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// setUpCustom is setUpOnce with custom events.
func setUpCustom(t *testing.T, db *cdctest.Database) {
	t.Helper()
	must(t, proctest.Environ(db), "setup", "--custom-events")
	proctest.Grant(t, db)
}

// list lets the hook want the actions as well.
func list(t *testing.T, db *cdctest.Database, hook int, actions ...string) {
	t.Helper()
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, events_added) VALUES ($1, $2)
		ON CONFLICT (hook_id) DO UPDATE SET events_added = excluded.events_added`, hook, actions)
}

// customOf are the payloads of the requests at the hook with that action.
func customOf(t *testing.T, requests []conformance.Request, hook int64, action string) (payloads []string) {
	t.Helper()
	for _, r := range requests {
		if r.Hook != hook || r.Action != action {
			continue
		}
		var body struct{ Payload json.RawMessage }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatalf("%s: %v", r.Body, err)
		}
		payloads = append(payloads, string(body.Payload))
	}
	return payloads
}

// forged is how many messages were refused, by the metrics.
func forged(t *testing.T, p *program) string {
	t.Helper()
	_, metrics := p.get(t, "/metrics")
	m := regexp.MustCompile(`(?m)^hooktail_forged_messages_total (\d+)$`).FindStringSubmatch(metrics)
	if m == nil {
		t.Fatal("no metric of forged messages")
	}
	return m[1]
}

// TestCustomEvents: what was emitted arrives where it is listed, in the order in which it
// was committed; what was rolled back does not, also of a savepoint.
func TestCustomEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpCustom(t, db)
	list(t, db, 1, "MODEL_OUTDATED")
	p := startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
	conn := db.Connect(t)
	run := func(statements ...string) {
		t.Helper()
		for _, sql := range statements {
			if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeExec); err != nil {
				t.Fatalf("run %q: %v", sql, err)
			}
		}
	}
	emit := func(n int, task string) string {
		return fmt.Sprintf(`SELECT hooktail.emit('MODEL_OUTDATED', 1, '{"n": %d, "größe": 1e400}', task => %s)`, n, task)
	}
	run(emit(1, "7"))
	run("BEGIN", emit(2, "7"), "ROLLBACK")
	run("BEGIN", emit(3, "7"), "SAVEPOINT a", emit(4, "7"), "ROLLBACK TO a", emit(5, "7"), "SAVEPOINT b", emit(6, "7"), "RELEASE b", emit(7, "7"), "COMMIT")
	run(emit(8, "NULL"))
	delivered(t, db)
	requests := c.Take()
	var want []string
	for _, n := range []int{1, 3, 5, 6, 7, 8} {
		want = append(want, fmt.Sprintf(`{"n": %d, "größe": 1%s}`, n, strings.Repeat("0", 400)))
	}
	if diff := cmp.Diff(want, customOf(t, requests, 1, "MODEL_OUTDATED")); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	for _, r := range requests {
		if r.Hook != 1 {
			t.Errorf("hook %d got %s, which it does not list", r.Hook, r.Action)
		}
	}
	if n := forged(t, p); n != "0" {
		t.Errorf("%s messages were taken for forged", n)
	}
}

// TestForgedCustomEvents: what anybody can write, and what a reader of the WAL can write
// again, is counted, delivered to nobody, and stops nothing.
func TestForgedCustomEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpCustom(t, db)
	list(t, db, 1, "MODEL_OUTDATED")
	slot := strings.ToLower(db.Name) + "_spy"
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot)
	t.Cleanup(func() { db.Exec(t, "SELECT pg_drop_replication_slot($1)", slot) })
	p := startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
	db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', 1, '1')`)
	db.Exec(t, `SELECT pg_logical_emit_message(true, 'hooktail.emit', 'hello')`)
	db.Exec(t, `SELECT pg_logical_emit_message(false, 'hooktail.emit', 'hello')`)
	db.Exec(t, `SELECT pg_logical_emit_message(true, 'hooktail.emit', repeat('x', 2000000))`)
	// What the spy has read is written again, in a transaction of its own, and in one that
	// emits as well, before and after.
	again := `PERFORM pg_logical_emit_message(true, 'hooktail.emit', substring(data FROM position('\x3120'::bytea IN data)))
		FROM pg_logical_slot_peek_binary_changes('` + slot + `', NULL, NULL, 'proto_version', '1', 'publication_names', 'hooktail', 'messages', 'true')
		WHERE get_byte(data, 0) = ascii('M') AND position('\x3120'::bytea IN data) > 0`
	if n := db.QueryText(t, strings.Replace(again, "PERFORM pg_logical_emit_message(true, 'hooktail.emit', substring(data FROM position('\\x3120'::bytea IN data)))", "SELECT count(*)", 1)); n == "0" {
		t.Fatal("the spy has read nothing")
	}
	db.Exec(t, `DO $$ BEGIN `+again+`; END $$`)
	db.Exec(t, `DO $$ BEGIN `+again+`; PERFORM hooktail.emit('MODEL_OUTDATED', 1, '2'); `+again+`; END $$`)
	db.Exec(t, annotate, 7)
	delivered(t, db)
	requests := c.Take()
	if diff := cmp.Diff([]string{"1", "2"}, customOf(t, requests, 1, "MODEL_OUTDATED")); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	if len(annotationsOf(t, requests, 1)) != 1 {
		t.Error("the annotation did not arrive")
	}
	if n := forged(t, p); n != "8" { // three that anybody wrote; repeated ones: 1, then both of it twice
		t.Errorf("%s messages were counted as forged, want 8", n)
	}
	if !strings.Contains(p.err.String(), "forged message") {
		t.Errorf("the log does not tell:\n%s", p.err)
	}
}

// TestCustomEventsAreEvents: one that its receiver refuses is parked, holds its task back
// and comes under its id after a restart; one that is dead is sent again; project and task
// are as in other events, also of a task that is gone.
func TestCustomEventsAreEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpCustom(t, db)
	r := tenHooks(t, db)
	list(t, db, 1, "MODEL_OUTDATED")
	r.Script(path(1), dispatchtest.Status(503))
	p := startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
	db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', 1, '{"n": 1}', 7)`)
	annotation := db.QueryText(t, annotate, 7)
	first := r.Wait(t, path(1), 1)[0].Event
	proctest.Confirmed(t, db)
	p.end(t)
	r.Script(path(1))
	p = startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
	must(t, proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops), "hooks", "retry", "1")
	accepted := func(n int) (out []dispatchtest.Request) {
		r.WaitFor(t, path(1), fmt.Sprintf("%d accepted requests", n), func(all []dispatchtest.Request) bool {
			out = slices.DeleteFunc(slices.Clone(all), func(r dispatchtest.Request) bool { return r.Status != 200 })
			return len(out) >= n
		})
		return out
	}
	got := accepted(2)
	if got[0].Event != first || idOf(t, got[1].Body, "annotation") != annotation {
		t.Errorf("events %s and %s, want %s and the annotation after it", got[0].Event, got[1].Event, first)
	}
	p.end(t)

	r.Script(path(1), dispatchtest.Status(500), dispatchtest.Status(200))
	startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0", "HOOKTAIL_MAX_ATTEMPTS=1")
	db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', 1, '{"n": 2}', 123456)`)
	proctest.WaitFor(t, func() error {
		if n := parkedRows(t, db, "dead"); n != "1" {
			return fmt.Errorf("%s deliveries are dead", n)
		}
		return nil
	})
	must(t, proctest.RoleEnviron(db), "deliveries", "redrive", "--hook", "1", "--action", "MODEL_OUTDATED")
	last := accepted(3)[2]
	var body struct {
		Action  string
		Payload struct{ N int }
		Project struct {
			ID    int
			Title string
		}
		Task map[string]any
	}
	if err := json.Unmarshal(last.Body, &body); err != nil {
		t.Fatalf("%s: %v", last.Body, err)
	}
	if body.Action != "MODEL_OUTDATED" || body.Payload.N != 2 || body.Project.ID != 1 || body.Project.Title == "" || len(body.Task) != 1 || body.Task["id"] != 123456.0 {
		t.Errorf("body %s", last.Body)
	}
	if err := json.Unmarshal(got[0].Body, &body); err != nil || len(body.Task) < 10 || body.Task["id"] != 7.0 {
		t.Errorf("task %v, want a whole one: %v", body.Task, err)
	}
	for hook := 2; hook <= 10; hook++ {
		if n := len(r.Requests(path(hook))); n != 1 {
			t.Errorf("hook %d, which gets all actions, got %d events, want the annotation alone", hook, n)
		}
	}
}

// TestTeardownSparesCallers: as long as a trigger calls emit, nothing is removed; then
// everything is, and setup without the flag does not bring it back.
func TestTeardownSparesCallers(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	owner := proctest.Environ(db)
	must(t, owner, "setup", "--custom-events")
	if out := must(t, owner, "setup", "--custom-events"); strings.Contains(out, "CREATE") {
		t.Errorf("set up again:\n%s", out)
	}
	db.Exec(t, `CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM hooktail.emit('A', 1, '{}'); RETURN NULL; END$$`)
	db.Exec(t, `CREATE TRIGGER told AFTER INSERT ON task FOR EACH ROW EXECUTE FUNCTION tell()`)
	before := traces(t, db)
	code, stdout, stderr := command(owner, "teardown", "--yes")
	for _, want := range []string{"function hooktail.emit of custom events", "nothing was removed", "function public.tell()", "trigger told on table public.task"} {
		if !strings.Contains(stdout+stderr, want) {
			t.Errorf("it does not say %q:\n%s%s", want, stdout, stderr)
		}
	}
	if after := traces(t, db); code != exitFailed || after != before {
		t.Errorf("exit code %d; before %s, after %s", code, before, after)
	}
	db.Exec(t, "DROP FUNCTION tell() CASCADE")
	must(t, owner, "teardown", "--yes")
	if left := db.QueryText(t, "SELECT count(*) FROM pg_namespace WHERE nspname = 'hooktail'"); left != "0" {
		t.Error("the schema is still there")
	}
	must(t, owner, "setup")
	if there := db.QueryText(t, "SELECT count(*) FROM pg_proc WHERE proname = 'emit'"); there != "0" {
		t.Error("setup has made the function without being asked to")
	}
}

// customEventsDoc is the how-to whose example is run as it stands.
const customEventsDoc = "docs/how-to/custom-events.md"

// TestCustomEventsHowTo: its commands and statements are run one after the other, and its
// hook gets what it shows.
func TestCustomEventsHowTo(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	text := readText(t, filepath.Join(repository, customEventsDoc))
	steps, rest, found := strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("the how-to has no headings")
	}
	blocks := regexp.MustCompile("(?ms)^ *```(sh|sql)\n(.*?)^ *```$")
	for _, block := range blocks.FindAllStringSubmatch(steps, -1) {
		if block[1] == "sql" {
			db.Exec(t, block[2])
			continue
		}
		for line := range strings.Lines(block[2]) {
			must(t, proctest.Environ(db), strings.Fields(line)[1:]...)
		}
	}
	proctest.Grant(t, db)
	db.Exec(t, `DO $$ BEGIN CREATE ROLE reporting; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`) // roles are the server's
	grants := 0
	for _, block := range blocks.FindAllStringSubmatch(rest, -1) {
		if strings.HasPrefix(strings.TrimSpace(block[2]), "GRANT") {
			grants++
			db.Exec(t, block[2])
		}
	}
	if grants == 0 {
		t.Error("the how-to grants nothing")
	}
	startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
	db.Exec(t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled, ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT '[]', 7, 1, 1, 1, n % 10 = 0, false, now(), now(), '{}', 0, false FROM generate_series(1, 230) n`) // 207 that count
	db.Exec(t, `SET ROLE reporting; SELECT hooktail.emit('REPORT', 1, '{}', 7)`)
	delivered(t, db)
	requests := c.Take()
	if diff := cmp.Diff([]string{`{"annotations": 100}`, `{"annotations": 200}`}, customOf(t, requests, 1, "MODEL_OUTDATED")); diff != "" {
		t.Errorf("payloads (-want +got):\n%s", diff)
	}
	shown := regexp.MustCompile("(?ms)^```json\n(.*?)^```$").FindStringSubmatch(text)
	if shown == nil {
		t.Fatal("the how-to shows no body")
	}
	var want map[string]json.RawMessage
	unmarshalJSON(t, []byte(shown[1]), &want)
	for _, r := range requests {
		if r.Action != "MODEL_OUTDATED" {
			continue
		}
		var got map[string]json.RawMessage
		unmarshalJSON(t, r.Body, &got)
		for _, member := range []string{"action", "payload", "task"} {
			if string(got[member]) != string(want[member]) {
				t.Errorf("%s is %s, the how-to shows %s", member, got[member], want[member])
			}
		}
		if len(got) != len(want) || idOf(t, r.Body, "project") != "1" {
			t.Errorf("body %s", r.Body)
		}
		break
	}
}

func unmarshalJSON(t *testing.T, text []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
}

// TestTailShowsCustomEvents: tail prints them, and completed tasks, though no hook lists
// them, and nothing of a forged message.
func TestTailShowsCustomEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	must(t, proctest.Environ(db), "setup", "--custom-events", "--task-events")
	proctest.Grant(t, db)
	out, end := tailing(t, db)
	defer end()
	proctest.WaitFor(t, func() error {
		if n := db.QueryText(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE $1 AND confirmed_flush_lsn IS NOT NULL", db.Name+"_tail_%"); n != "1" {
			return fmt.Errorf("tail has %s slots, want 1", n)
		}
		return nil
	})
	db.Exec(t, "SELECT pg_logical_emit_message(true, 'hooktail.emit', 'FORGED')")
	db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', 1, '{"n": 1}', 7)`)
	db.Exec(t, "UPDATE task SET is_labeled = NOT is_labeled WHERE id = 7")
	line := out.Find(t, `(?m)^(.*MODEL_OUTDATED.*)\n`, nil)
	if !strings.Contains(line, `"payload":{"n":1}`) || !strings.Contains(line, `"task":7`) {
		t.Errorf("the event is %s", line)
	}
	out.Find(t, `(?m)^(.*TASK_(?:COMPLETED|REOPENED).*"tasks_left".*)\n`, nil)
	if strings.Contains(out.String(), "FORGED") {
		t.Errorf("a forged message is told:\n%s", out)
	}
}
