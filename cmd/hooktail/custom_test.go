package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
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
