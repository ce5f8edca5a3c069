package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
	"github.com/hooktail/hooktail/internal/relay"
)

// keeping is the variables of a program with a log that keeps what was delivered.
func keeping(t *testing.T) []string {
	t.Helper()
	return []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + natstest.Start(t, nil).URL(), "HOOKTAIL_KEEP=1h"}
}

// takeOf waits until the hook has got n requests more, and returns them.
func takeOf(t *testing.T, c *conformance.Collector, hook int64, n int) (got []conformance.Request) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if got = append(got, ofHook(c.Take(), hook)...); len(got) < n {
			return fmt.Errorf("hook %d has got %d requests, not %d", hook, len(got), n)
		}
		return nil
	})
	return got
}

// sent is what a replay has to repeat of requests.
func sent(requests []conformance.Request) (list []string) {
	for _, r := range requests {
		list = append(list, r.Headers["webhook-id"]+" "+r.Headers["hooktail-lsn"]+" "+r.Headers["hooktail-commit-time"]+" "+string(r.Body))
	}
	return list
}

// TestReplay: updates and deletions come again too, with the ids and bodies of the first
// time, to the hook as it is now.
func TestReplay(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	db.Exec(t, "UPDATE webhook SET send_payload = false WHERE id = 2")
	variables := keeping(t)
	start(t, db, variables...)
	id := db.QueryText(t, annotate, 7)
	middle := db.QueryText(t, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
	db.Exec(t, `UPDATE task_completion SET result = '[{"id": "Grüße \u2028"}]', updated_at = clock_timestamp() WHERE id = $1`, id)
	db.Exec(t, "DELETE FROM task_completion WHERE id = $1", id)
	copied(t, db, "task", 1, `{"data": {"text": "`+strings.Repeat("large ", 100<<10)+`"}}`)
	first := takeOf(t, c, 6, 4)
	environ := proctest.RoleEnviron(db, variables...)
	db.Exec(t, `UPDATE webhook SET url = replace(url, '/h/6', '/h/66'), headers = '{"X-New": "1"}' WHERE id = 6`)
	for _, tt := range []struct {
		args string
		want []conformance.Request
		says string
	}{
		{"--since 1h", first, "hook 6: 4 events delivered; the log begins at 2"},
		{"--since 1h --action TASK_CREATED", first[3:], "1 event delivered"},
		{"--since 1h --action ANNOTATIONS_DELETED --project 1", first[2:3], "1 event delivered"},
		{"--since 1h --project 3", nil, "0 events delivered"},
		{"--since " + middle, first[1:], "3 events delivered"},
		{"--since 1h --until " + middle, first[:1], "1 event delivered"},
		{"--since 1h --dry-run --rate 60/m", nil, "hook 6 would get 4 events, in at least 4 s"},
	} {
		got := must(t, environ, append([]string{"replay", "--hook", "6"}, strings.Fields(tt.args)...)...)
		again := ofHook(c.Take(), 66)
		if diff := cmp.Diff(sent(tt.want), sent(again)); diff != "" {
			t.Errorf("replay %s (-want +got):\n%s", tt.args, diff)
		}
		if !strings.Contains(got, tt.says) {
			t.Errorf("replay %s says %q, want %q", tt.args, got, tt.says)
		}
		for _, r := range again {
			if r.Headers["hooktail-origin"] != "replay" || r.Headers["x-new"] != "1" {
				t.Errorf("headers %v", r.Headers)
			}
		}
	}
	must(t, environ, "replay", "--hook", "2", "--since", "1h", "--action", "ANNOTATION_UPDATED")
	if got := ofHook(c.Take(), 2); len(got) != 1 || string(got[0].Body) != `{"action": "ANNOTATION_UPDATED"}` {
		t.Errorf("a hook without payloads gets %v", got)
	}
	must(t, environ, "hooks", "set", "6", "--events=-ANNOTATION_UPDATED", "--filter", `action != "ANNOTATIONS_DELETED"`)
	var result struct{ Events, Passed, Filtered, Last int }
	if err := json.Unmarshal([]byte(must(t, environ, "replay", "--hook", "6", "--since", "1h", "--dry-run", "--json")), &result); err != nil {
		t.Fatal(err)
	}
	if result.Events != 2 || result.Passed != 1 || result.Filtered != 1 || result.Last == 0 {
		t.Errorf("of events that the hook does not want any more: %+v", result)
	}
}

// TestReplayGoesOn: where one was interrupted, the next one begins, and nothing is missing
// or sent twice.
func TestReplayGoesOn(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	const events = 7
	f := &faulty{fault: func(n int64) int {
		switch n {
		case events + 3:
			interrupt()
		case events + 4:
			return http.StatusGone
		}
		return 0
	}}
	point(t, db, f)
	db.Exec(t, "UPDATE webhook SET is_active = id = 6")
	variables := keeping(t)
	start(t, db, variables...)
	for range events {
		db.Exec(t, annotate, 7)
	}
	first := takeOf(t, &f.Collector, 6, events)
	environ := proctest.RoleEnviron(db, variables...)
	args := []string{"replay", "--hook", "6", "--until", "0s", "--since", "1h"}
	rest := func(ctx context.Context, says string) {
		t.Helper()
		stderr := proctest.NewOutput()
		a := &app{stdout: proctest.NewOutput(), stderr: stderr, environ: environ, Tuning: relay.Tuning{Guest: true}}
		code := a.execute(ctx, args)
		before, flags, found := strings.Cut(stderr.String(), "continue with ")
		if code != exitFailed || !found || !strings.Contains(before, says) || strings.Contains(flags, "1h") {
			t.Fatalf("exit code %d, want %d and %q:\n%s", code, exitFailed, says, stderr)
		}
		args = append(args[:3:3], strings.Fields(flags)...)
	}
	rest(ctx, "interrupted; delivered before that: 3 events")
	rest(t.Context(), "the receiver answered 410; delivered before that: 0 events")
	must(t, environ, args...)
	if diff := cmp.Diff(sent(first), sent(f.Take())); diff != "" {
		t.Errorf("in two parts (-want +got):\n%s", diff)
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	variables := keeping(t)
	setUpOnce(t, db, variables...)
	db.Exec(t, "DELETE FROM webhook_action WHERE webhook_id = 1")
	db.Exec(t, "DELETE FROM webhook WHERE id = 1")
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, paused) VALUES (6, true)`)
	unkept := variables[:len(variables)-1]
	for _, tt := range []struct {
		name, args string
		variables  []string
		code       int
		want       string
	}{
		{"no hook", "--since 1h", variables, exitUsage, "--hook ID --since TIME"},
		{"no time", "--hook 3", variables, exitUsage, "--hook ID --since TIME"},
		{"time", "--hook 3 --since 1h --until yesterday", variables, exitUsage, "--until=yesterday"},
		{"rate", "--hook 3 --since 1h --rate 10", variables, exitUsage, "--rate=10"},
		{"no log", "--hook 3 --since 1h", nil, exitUsage, "set HOOKTAIL_NATS_URL and HOOKTAIL_KEEP"},
		{"log that keeps nothing", "--hook 3 --since 1h", unkept, exitUsage, "set HOOKTAIL_KEEP"},
		{"deleted hook", "--hook 1 --since 1h", variables, exitFailed, "there is no hook 1"},
		{"switched off", "--hook 4 --since 1h", variables, exitFailed, "hook 4 gets no events: it is inactive"},
		{"paused", "--hook 6 --since 1h", variables, exitFailed, "hooktail hooks resume 6"},
	} {
		code, _, stderr := command(proctest.RoleEnviron(db, tt.variables...), append([]string{"replay"}, strings.Fields(tt.args)...)...)
		if code != tt.code || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", tt.name, code, tt.code, tt.want, stderr)
		}
	}
	if got := must(t, proctest.RoleEnviron(db, variables...), "replay", "--hook", "3", "--since", "1h"); !strings.Contains(got, "0 events delivered; the log has nothing of this hook yet") {
		t.Errorf("of an empty log: %s", got)
	}
	if n := len(c.Take()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
