package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// storeDeliveries parks events 0 to 2 of hook 1 and has 3 and 4 die, one for each
// reason, and 0 of hook 2. They were committed a minute apart, the last one now.
func storeDeliveries(t *testing.T, db *cdctest.Database) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store := state.New(state.Options{Pool: pool, Schema: "hooktail", Log: slog.New(slog.DiscardHandler)})
	row := func(hook int64, n int) state.Row {
		return state.Row{
			Key:    state.Key{Hook: hook, Event: mapping.ID{Timeline: 1, Commit: 0x16B374D848, Ordinal: n}},
			Action: mapping.AnnotationCreated, Project: 1, Task: 7, Attempts: 4, LastResult: "5xx", LastStatus: 503,
			Committed: time.Now().Add(time.Duration(n-4) * time.Minute), Added: time.Now(),
			Body: mapping.BodyOf(fmt.Appendf(nil, `{"action": "ANNOTATION_CREATED", "n": %d}`, n)),
		}
	}
	batch := state.Batch{Insert: []state.Row{row(2, 0)}}
	for n := range 5 {
		r := row(1, n)
		switch n {
		case 3:
			r.State, r.Reason, r.Action = state.Dead, "rejected", mapping.TaskCreated
		case 4:
			r.State, r.Reason = state.Dead, "exhausted"
		}
		batch.Insert = append(batch.Insert, r)
	}
	if err := store.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

const eventText = "1-16B374D848-"

func TestDeliveriesList(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	storeDeliveries(t, db)
	for _, tt := range []struct{ args, want string }{
		{"", "1/0 1/1 1/2 1/3 1/4 2/0"},
		{"--hook 2", "2/0"},
		{"--action TASK_CREATED", "1/3"},
		{"--state dead", "1/3 1/4"},
		{"--state parked --hook 1", "1/0 1/1 1/2"},
		{"--since 90s", "1/3 1/4"},
		{"--since " + time.Now().Add(-30*time.Second).Format(time.RFC3339), "1/4"},
		{"--reason exhausted", "1/4"},
		{"--limit 2", "1/0 1/1"},
		{"--hook 9", ""},
	} {
		var got []string
		for line := range strings.Lines(must(t, proctest.RoleEnviron(db), append([]string{"deliveries", "list", "--json"}, strings.Fields(tt.args)...)...)) {
			var d status.Stored
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			got = append(got, fmt.Sprintf("%d/%s", d.Hook, d.Event[strings.LastIndex(d.Event, "-")+1:]))
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("list %s: %s, want %s", tt.args, text, tt.want)
		}
	}
	code, table, note := command(proctest.RoleEnviron(db), "deliveries", "list", "--state", "dead", "--limit", "1")
	if lines := strings.Split(table, "\n"); code != exitDone || len(lines) != 3 || !strings.HasPrefix(lines[0], "HOOK  EVENT") ||
		!strings.Contains(lines[1], eventText+"3") || !strings.Contains(lines[1], "503") || !strings.HasSuffix(lines[1], "rejected") {
		t.Errorf("table:\n%s", table)
	}
	if !strings.Contains(note, "--limit") {
		t.Errorf("nothing says that there may be more: %q", note)
	}
}

func TestDeliveriesShow(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	storeDeliveries(t, db)
	plain := must(t, proctest.RoleEnviron(db), "deliveries", "show", eventText+"3")
	for _, want := range []string{"hook:", "TASK_CREATED", "dead", "rejected", "503", "16/B374D848"} {
		if !strings.Contains(plain, want) {
			t.Errorf("%q is not shown:\n%s", want, plain)
		}
	}
	if strings.Contains(plain, `"n"`) {
		t.Errorf("the payload is shown unasked:\n%s", plain)
	}
	if got := must(t, proctest.RoleEnviron(db), "deliveries", "show", eventText+"3", "--payload"); !strings.Contains(got, `{"action": "ANNOTATION_CREATED", "n": 3}`) {
		t.Errorf("without the payload:\n%s", got)
	}
	two := must(t, proctest.RoleEnviron(db), "deliveries", "show", eventText+"0", "--json", "--payload")
	one := must(t, proctest.RoleEnviron(db), "deliveries", "show", eventText+"0", "--json", "--hook", "2")
	if strings.Count(two, "\n") != 2 || strings.Count(two, `"n":0`) != 2 || strings.Count(one, "\n") != 1 || strings.Contains(one, "payload") {
		t.Errorf("as JSON:\n%s\nof one hook:\n%s", two, one)
	}
}

// TestDeliveriesShowOfManyHooks: an event that is stored for many hooks is shown without
// holding its bodies in memory. It is not parallel: it counts what the process allocates.
func TestDeliveriesShowOfManyHooks(t *testing.T) {
	const hooks, size = 40, 1 << 20
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	db.Exec(t, fmt.Sprintf(`INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
		SELECT h, '0/1', 1, 2, '', 'TASK_CREATED', 1, 1, now(), decode(repeat('20', %d), 'hex'), 1, now() FROM generate_series(1, %d) h`, size, hooks))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := must(t, proctest.Environ(db), "deliveries", "show", "2-1-1")
	runtime.ReadMemStats(&after)
	if n := strings.Count(got, "hook:"); n != hooks {
		t.Errorf("%d of %d deliveries are shown", n, hooks)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > hooks*size/2 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}

func TestDeliveriesChange(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	storeDeliveries(t, db)
	for _, tt := range []struct{ args, want, left string }{
		{"redrive --all --dry-run", "2 deliveries would be redriven", "dead 2, parked 4"},
		{"redrive --reason rejected", "1 delivery redriven", "dead 1, parked 5"},
		{"redrive --hook 2", "0 deliveries redriven", "dead 1, parked 5"},
		{"redrive " + eventText + "4", "1 delivery redriven", "parked 6"},
		{"discard --all", "0 deliveries discarded", "parked 6"},
		{"discard --state parked --hook 2 --dry-run", "1 delivery would be discarded", "parked 6"},
		{"discard --state parked --hook 2", "1 delivery discarded", "parked 5"},
		{"discard --state parked --all --limit 2", "2 deliveries discarded", "parked 3"},
	} {
		got := strings.TrimSpace(must(t, proctest.RoleEnviron(db), append([]string{"deliveries"}, strings.Fields(tt.args)...)...))
		left := db.QueryText(t, "SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM hooktail.parked GROUP BY state) AS s")
		if diff := cmp.Diff([]string{tt.want, tt.left}, []string{got, left}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestDeliveriesRefuse(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, fresh := server.LabelStudio(t), server.LabelStudio(t)
	setUpOnce(t, db)
	refused(t, "deliveries", []refusal{
		{"before setup", fresh, "list", exitFailed, "hooktail setup"},
		{"state", db, "list --state ill", exitUsage, "parked or dead"},
		{"reason", db, "redrive --reason exhaust", exitUsage, "bad_url, bad_headers, blocked, rejected, exhausted"},
		{"reason that is never stored", db, "list --reason suspended", exitUsage, "--reason=suspended"},
		{"since", db, "list --since yesterday", exitUsage, "--since=yesterday"},
		{"limit", db, "list --limit -1", exitUsage, "--limit"},
		{"argument", db, "list 7", exitUsage, `"7"`},
		{"no event", db, "show", exitUsage, "one event"},
		{"bad event", db, "show 7", exitUsage, "not an event's id"},
		{"unknown event", db, "show " + eventText + "9", exitFailed, "is stored"},
		{"redrive what", db, "redrive", exitUsage, "--all"},
		{"redrive the first", db, "redrive --limit 5", exitUsage, "--all"},
		{"redrive some and all", db, "redrive --hook 1 --all", exitUsage, "--all"},
		{"redrive by state", db, "redrive --state parked", exitUsage, "--state"},
		{"redrive two", db, "redrive 1 2", exitUsage, "one event"},
		{"redrive no event", db, "redrive repair-0-0", exitUsage, `"repair-0-0" is not an event's id`},
		{"redrive no event of a hook", db, "redrive repair-0-0 --hook 1", exitUsage, `"repair-0-0" is not an event's id`},
		{"discard no event", db, "discard repair-0-0", exitUsage, `"repair-0-0" is not an event's id`},
		{"discard no event and all", db, "discard repair-0-0 --all", exitUsage, `"repair-0-0" is not an event's id`},
		{"show no event", db, "show repair-0-0", exitUsage, `"repair-0-0" is not an event's id`},
		{"discard what", db, "discard --state parked", exitUsage, "--all"},
	})
}

// TestDeliveriesChangedInPart: a change of many deliveries is made in steps, and whoever asked for
// one that ends in the middle is told how many were changed.
func TestDeliveriesChangedInPart(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
		SELECT 1, '0/0'::pg_lsn + i, 1, 1, i, 'A', 1, i, now(), '{}', 2, now(), 'dead', now() FROM generate_series(1, 10001) AS i`)
	db.Exec(t, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not this one'; END$$`)
	db.Exec(t, `CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON hooktail.parked FOR EACH ROW WHEN (OLD.task_id = 10001) EXECUTE FUNCTION refuse()`)
	for _, tt := range []struct{ args, want string }{
		{"redrive --hook 1", "10000 deliveries redriven, and not the rest: "},
		{"discard --hook 1", "not this one"},
		{"discard --hook 1 --state parked", ""},
	} {
		code, out, stderr := command(proctest.RoleEnviron(db), append([]string{"deliveries"}, strings.Fields(tt.args)...)...)
		if !strings.Contains(stderr, tt.want) || (code == exitDone) != (tt.want == "") || strings.Contains(stderr, "discarded, and") {
			t.Errorf("%s: exit code %d, %s%s", tt.args, code, out, stderr)
		}
	}
}
