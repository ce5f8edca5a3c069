package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestPauseAndResume: a running hooktail parks what a paused hook gets, lets the
// slot move on, and delivers it in order as soon as the hook is resumed.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	must(t, proctest.RoleEnviron(db), "hooks", "pause", "1", "2")
	proctest.WaitFor(t, func() error { // until the pause is known
		c.Take()
		db.Exec(t, annotate, 7)
		proctest.Confirmed(t, db)
		if n := len(annotationsOf(t, c.Take(), 1)); n > 0 {
			return fmt.Errorf("hook 1, which is paused, got %d annotations", n)
		}
		return nil
	})
	list := must(t, proctest.RoleEnviron(db), "hooks", "list")
	if strings.Count(list, "active, paused") != 2 {
		t.Errorf("list:\n%s", list)
	}
	want := db.QueryText(t, "SELECT string_agg(body->'annotation'->>'id', ' ' ORDER BY commit_lsn) FROM (SELECT commit_lsn, convert_from(body, 'UTF8')::jsonb AS body FROM hooktail.parked WHERE hook_id = 1) AS p")
	if want == "" {
		t.Fatal("nothing is parked")
	}
	must(t, proctest.RoleEnviron(db), "hooks", "resume", "1")
	proctest.WaitFor(t, func() error {
		if got := strings.Join(annotationsOf(t, c.Requests(), 1), " "); got != want {
			return fmt.Errorf("hook 1 has got %q, want %q", got, want)
		}
		return nil
	})
}

func TestPing(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := dispatchtest.Receiver(t)
	setUpOnce(t, db)
	db.Exec(t, "UPDATE webhook SET url = $1 || '/h/' || id || '?token=hush'", r.URL)
	db.Exec(t, `UPDATE webhook SET headers = '["a list"]' WHERE id = 2`)
	secret := must(t, proctest.RoleEnviron(db, oneKey), "hooks", "secret", "set", "5")
	shown := must(t, proctest.RoleEnviron(db, oneKey), "hooks", "ping", "5")
	got := r.Wait(t, "/h/5", 1)[0]
	if string(got.Body) != relay.PingBody || got.Header.Get("X-Team") != "newsroom" || got.Header.Get("Webhook-Signature") == "" {
		t.Errorf("received %s with %v", got.Body, got.Header)
	}
	for _, want := range []string{"POST " + r.URL + "/h/5\n", "X-Team: ***\n", "webhook-signature: ***\n", relay.PingBody, "200 (2xx) after"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown:\n%s", want, shown)
		}
	}
	for _, hidden := range []string{"newsroom", "placeholder", "hush", strings.TrimSpace(secret), got.Header.Get("Webhook-Signature")} {
		if strings.Contains(shown, hidden) {
			t.Errorf("%q is shown:\n%s", hidden, shown)
		}
	}
	r.Script("/h/1", dispatchtest.Status(http.StatusTeapot))
	for _, tt := range []struct {
		name, args string
		want       string
	}{
		{"not accepted", "1", "status 418"},
		{"refused", "2", "JSON object"},
		{"unknown", "99", "there is no hook 99"},
		{"without the key for its secret", "5", "HOOKTAIL_SECRET_KEY"},
	} {
		code, stdout, stderr := command(proctest.RoleEnviron(db), "hooks", "ping", tt.args)
		if code != exitFailed || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit code %d, want %q:\n%s%s", tt.name, code, tt.want, stdout, stderr)
		}
	}
	db.Exec(t, "UPDATE webhook SET url = 'http://127.0.0.1:1/' WHERE id = 1")
	code, stdout, stderr := command(proctest.RoleEnviron(db), "hooks", "ping", "1")
	if code != exitFailed || !strings.Contains(stdout, "refused after") || !strings.Contains(stderr, "hook 1 did not answer") {
		t.Errorf("nobody there: exit code %d:\n%s%s", code, stdout, stderr)
	}
}

func TestHooksShow(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, fresh := server.LabelStudio(t), server.LabelStudio(t)
	setUpOnce(t, db)
	storeDeliveries(t, db)
	must(t, proctest.RoleEnviron(db), "hooks", "adopt", "1")
	must(t, proctest.RoleEnviron(db), "hooks", "pause", "1")
	must(t, proctest.RoleEnviron(db, oneKey), "hooks", "secret", "set", "1")
	shown := strings.Join(strings.Fields(must(t, proctest.RoleEnviron(db, oneKey), "hooks", "show", "1")), " ")
	for _, want := range []string{"hook: 1 ", "state: adopted, paused ", "served: yes", "secret: yes ", "parked: 3, ", "dead: 2, ", "headers: - "} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not shown: %s", want, shown)
		}
	}
	if other := must(t, proctest.RoleEnviron(db, anotherKey), "hooks", "show", "1"); !strings.Contains(other, "another key") {
		t.Errorf("with another key:\n%s", other)
	}
	if five := must(t, proctest.RoleEnviron(db), "hooks", "show", "5"); !strings.Contains(five, "X-Team: ***") || strings.Contains(five, "newsroom") {
		t.Errorf("hook 5:\n%s", five)
	}
	list := strings.Join(strings.Fields(must(t, proctest.RoleEnviron(db), "hooks", "list")), " ")
	if !strings.Contains(list, "URL 1 paused 1 all 3 2 http://127.0.0.1:9900/*** adopted, paused 2 active 1 all 1 0 ") {
		t.Errorf("list: %s", list)
	}
	// Before setup nobody but the owner may read the tables.
	if before := must(t, proctest.Environ(fresh), "hooks", "list"); strings.Count(before, "\n") != 11 {
		t.Errorf("list before setup:\n%s", before)
	}
	for _, args := range []string{"show 1", "pause 1", "resume 1", "ping 1", "adopt 1", "release 1", "secret remove 1"} {
		code, _, stderr := command(proctest.Environ(fresh), append([]string{"hooks"}, strings.Fields(args)...)...)
		if code != exitFailed || !strings.Contains(stderr, "hooktail setup") {
			t.Errorf("%s before setup: exit code %d: %s", args, code, stderr)
		}
	}
	for args, want := range map[string]string{"pause": "the ids of hooks", "resume x": `"x" is not the id of a hook`, "show 1 2": "one hook"} {
		code, _, stderr := command(proctest.RoleEnviron(db), append([]string{"hooks"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d: %s", args, code, stderr)
		}
	}
}
