package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

const (
	oneKey     = "HOOKTAIL_SECRET_KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	anotherKey = "HOOKTAIL_SECRET_KEY=1f0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e00"
)

// signedWith reports whether the request is.
func signedWith(t *testing.T, r conformance.Request, secret string) bool {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(strings.TrimSpace(secret))
	if err != nil {
		t.Fatal(err)
	}
	header := map[string][]string{}
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		header[name] = []string{r.Headers[strings.ToLower(name)]}
	}
	return webhook.Verify(r.Body, header) == nil
}

// TestSecretsTakeEffectAtOnce: a running hooktail signs with what it is told, and
// says nothing of it to anybody.
func TestSecretsTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := start(t, db, oneKey, "HOOKTAIL_SETTLE=0")
	as := proctest.RoleEnviron(db, oneKey)
	// until has annotations saved until one is signed as wanted.
	until := func(what string, want func(r conformance.Request) bool) {
		t.Helper()
		proctest.WaitFor(t, func() error {
			c.Take()
			db.Exec(t, annotate, 7)
			delivered(t, db)
			for _, r := range c.Take() {
				if r.Hook == 1 && want(r) {
					return nil
				}
			}
			return fmt.Errorf("no request is signed with %s", what)
		})
	}
	first := must(t, as, "hooks", "secret", "set", "1")
	until("the first secret", func(r conformance.Request) bool { return signedWith(t, r, first) })
	second := must(t, as, "hooks", "secret", "rotate", "1")
	until("both", func(r conformance.Request) bool { return signedWith(t, r, first) && signedWith(t, r, second) })
	third := must(t, as, "hooks", "secret", "rotate", "1")
	until("the last two", func(r conformance.Request) bool {
		return !signedWith(t, r, first) && signedWith(t, r, second) && signedWith(t, r, third)
	})
	must(t, as, "hooks", "secret", "remove", "1")
	until("nothing", func(r conformance.Request) bool { return r.Headers["webhook-signature"] == "" })
	for _, secret := range []string{first, second, third} {
		if !strings.HasPrefix(secret, "whsec_") {
			t.Errorf("the secret is printed as %q", secret)
		}
		if strings.Contains(p.err.String(), strings.TrimSpace(secret)) {
			t.Error("a secret is in the log")
		}
	}
}

// TestSecretThatCannotBeOpened: with another key nothing is sent unsigned, and
// without one hooktail does not even start.
func TestSecretThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	must(t, proctest.RoleEnviron(db, oneKey), "hooks", "secret", "set", "1")
	withoutKey := func() {
		t.Helper()
		p := proctest.Start(t, proctest.RoleEnviron(db), "run")
		if code := p.Wait(t); code != exitUsage || !strings.Contains(p.Stderr.String(), "hook 1 has a signing secret") || !strings.Contains(p.Stderr.String(), "HOOKTAIL_SECRET_KEY") {
			t.Errorf("without a key: exit code %d:\n%s", code, p.Stderr)
		}
	}
	withoutKey()
	p := start(t, db, anotherKey, "HOOKTAIL_SETTLE=0")
	withoutKey() // as a standby it could not take over
	annotation := db.QueryText(t, annotate, 7)
	delivered(t, db)
	if got := annotationsOf(t, c.Requests(), 1); len(got) != 0 {
		t.Errorf("sent without the secret: %v", got)
	}
	if got := annotationsOf(t, c.Requests(), 6); len(got) != 1 {
		t.Errorf("hook 6 got %v", got)
	}
	if log := p.err.String(); strings.Count(log, "does not send to it unsigned") != 1 || !strings.Contains(log, "reason=bad_secret") {
		t.Errorf("log:\n%s", log)
	}
	p.end(t)

	// With the right key what died is sent again.
	start(t, db, oneKey, "HOOKTAIL_SETTLE=0")
	if got := must(t, proctest.RoleEnviron(db), "deliveries", "redrive", "--reason", "bad_secret"); got != "1 delivery redriven\n" {
		t.Errorf("redrive: %s", got)
	}
	proctest.WaitFor(t, func() error {
		if got := annotationsOf(t, c.Requests(), 1); len(got) != 1 || got[0] != annotation {
			return fmt.Errorf("hook 1 has got %v, not yet %s", got, annotation)
		}
		return nil
	})
}

// TestSecretSetWithoutTheKeyOfRun: a secret that somebody sets while the leader and the standby
// have no key refuses its own hook. It ends neither of them, also not at their next term.
func TestSecretSetWithoutTheKeyOfRun(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	leader := start(t, db, "HOOKTAIL_SETTLE=0")
	standby := startAlone(t, proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0"))
	proctest.WaitFor(t, func() error { return standby.says("Standing by") })
	must(t, proctest.RoleEnviron(db, oneKey), "hooks", "secret", "set", "1")
	proctest.WaitFor(t, func() error { return leader.says("does not send to it unsigned") })
	proctest.WaitFor(t, func() error { // before there is an event
		if _, metrics := leader.get(t, "/metrics"); !strings.Contains(metrics, "hooktail_hook_state{hook=\"1\"} 5\n") {
			return errors.New("hook 1 is not shown as refused")
		}
		return nil
	})
	for range 2 {
		db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hooktail' AND datname = current_database()")
		c.Take()
		db.Exec(t, annotate, 7)
		proctest.WaitFor(t, func() error {
			if got := annotationsOf(t, c.Requests(), 6); len(got) == 0 {
				return fmt.Errorf("hook 6 has got nothing, neither from\n%s\nnor from\n%s", leader.err, standby.err)
			}
			return nil
		})
	}
	if got := annotationsOf(t, c.Requests(), 1); len(got) != 0 {
		t.Errorf("sent without the secret: %v", got)
	}
	for _, p := range []*program{leader, standby} {
		if code := p.end(t); code != exitDone {
			t.Errorf("exit code %d:\n%s", code, p.err)
		}
	}
}

func TestSecretSays(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	for _, tt := range []struct {
		name      string
		variables []string
		args      string
		code      int
		want      string
	}{
		{"no hook", []string{oneKey}, "set", exitUsage, "one hook"},
		{"two hooks", []string{oneKey}, "set 1 2", exitUsage, "one hook"},
		{"unknown", []string{oneKey}, "set 99", exitFailed, "there is no hook 99"},
		{"no key", nil, "set 1", exitUsage, "HOOKTAIL_SECRET_KEY"},
		{"nothing to rotate", []string{oneKey}, "rotate 1", exitFailed, "has no secret yet"},
		{"nothing to remove", nil, "remove 1", exitDone, "hook 1 has no secret"},
		{"set", []string{oneKey}, "set 1", exitDone, "whsec_"},
		{"set again", []string{oneKey}, "set 1", exitFailed, "secret rotate 1"},
		{"another key", []string{anotherKey}, "rotate 1", exitFailed, "another key"},
		{"removed without a key", nil, "remove 1", exitDone, "no longer signed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(proctest.RoleEnviron(db, tt.variables...), append([]string{"hooks", "secret"}, strings.Fields(tt.args)...)...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
		})
	}
}

// TestSecretsAtOnce: of several people, or jobs, that give a hook a secret at once, one gets it.
// The others are told; a secret that is printed is one that requests are signed with.
func TestSecretsAtOnce(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	as := proctest.RoleEnviron(db, oneKey)
	must(t, as, "hooks", "pause", "1")
	for _, verb := range []string{"set", "rotate"} {
		person := db.Connect(t)
		if _, err := person.Exec(t.Context(), "BEGIN; SELECT FROM hooktail.hook_setting WHERE hook_id = 1 FOR UPDATE"); err != nil {
			t.Fatal(err)
		}
		const several = 3
		type answer struct {
			code        int
			out, stderr string
		}
		answers := make(chan answer, several)
		for range several {
			go func() {
				code, out, stderr := command(as, "hooks", "secret", verb, "1")
				answers <- answer{code, out, stderr}
			}()
		}
		proctest.WaitFor(t, func() error {
			if n := db.QueryText(t, "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = current_database()"); n != "3" {
				return fmt.Errorf("%s wait", n)
			}
			return nil
		})
		if _, err := person.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		given := 0
		for range several {
			a := <-answers
			if a.code == exitDone {
				given++
			} else if a.out != "" || !strings.Contains(a.stderr, "somebody else has changed the hook's secrets") {
				t.Errorf("%s: exit code %d, %q, %s", verb, a.code, a.out, a.stderr)
			}
		}
		if given != 1 {
			t.Errorf("%s: %d secrets were given", verb, given)
		}
	}
	if n := db.QueryText(t, "SELECT cardinality(secrets) FROM hooktail.hook_setting WHERE hook_id = 1"); n != "2" {
		t.Errorf("%s secrets are kept", n)
	}
}
