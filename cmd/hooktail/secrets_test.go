package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/relay"
)

// mark is in all that is secret in these tests.
const mark = "opensesame"

// outputs is what the program has said, by where.
type outputs map[string]string

// hold asserts that none of the secrets is in any of them.
func (o outputs) hold(t *testing.T, secrets ...string) {
	t.Helper()
	for where, text := range o {
		for _, secret := range append(secrets, mark) {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s shows a secret: %.300s", where, text[max(0, i-200):])
			}
		}
	}
}

// TestNoSecretInLogsOrErrors: what is secret in the configuration, in a hook or
// in a payload is in none of the program's outputs, whatever goes wrong.
func TestNoSecretInLogsOrErrors(t *testing.T) {
	t.Parallel()
	testNoSecret(t, "text")
}

func testNoSecret(t *testing.T, format string) {
	db := cdctest.Postgres(t).LabelStudio(t)
	key := strings.Repeat("5e", 32)
	environOf := func(role string) []string {
		return proctest.Environ(db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE=0s", "HOOKTAIL_TIMEOUT=2s", "HOOKTAIL_LOG_FORMAT="+format,
			"HOOKTAIL_SECRET_KEY="+key, "HOOKTAIL_DATABASE_URL="+strings.Replace(db.DSN, "postgres@", role+":"+mark+"@", 1))
	}
	environ := environOf("postgres") // setup and teardown need the owner, and are among the commands
	said := hostileHooks(t, db)
	must(t, environ, "setup")
	proctest.Grant(t, db)
	signing := strings.TrimSpace(must(t, environ, "hooks", "secret", "set", "14"))
	secrets := []string{signing, strings.TrimPrefix(signing, "whsec_"), key}
	must(t, environ, "hooks", "secret", "set", "15")
	db.Exec(t, "UPDATE hooktail.hook_setting SET secrets = ARRAY['x'::bytea] WHERE hook_id = 15")
	db.Exec(t, "UPDATE project SET token = $1, task_data_password = $1, title = $1", mark)
	db.Exec(t, "UPDATE task SET data = jsonb_build_object('text', $1::text)", mark)

	// What the row has is in the error's detail, which the server sends too.
	db.Exec(t, "ALTER TABLE hooktail.parked ADD CONSTRAINT refused CHECK (body = '')")
	p := startIn(t, format, environOf("hooktail"))
	db.Exec(t, strings.Replace(annotate, "'[]'", `'["`+mark+`"]'`, 1), 7)
	proctest.WaitFor(t, func() error { return p.says(said...) })
	proctest.WaitFor(t, func() error { return p.says("Delivery cannot be stored") })
	db.Exec(t, "ALTER TABLE hooktail.parked DROP CONSTRAINT refused")
	db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", db.Name)
	proctest.WaitFor(t, func() error { return p.says("replication connection failed") })

	all := outputs{}
	for _, path := range []string{"/", "/metrics", "/readyz", "/livez", "/status"} {
		_, all[path] = p.get(t, path)
	}
	all.commands(t, environ)
	p.end(t)
	all["log"] = p.err.String()
	all.hold(t, secrets...)
}

// hostileHooks makes hooks that fail in every way there is, with secrets in URL and
// headers, and returns what the log is to say of them.
func hostileHooks(t *testing.T, db *cdctest.Database) (said []string) {
	t.Helper()
	r := dispatchtest.Receiver(t)
	secret := func(base string) string { return strings.Replace(base, "://", "://user:"+mark+"@", 1) }
	const query = "?token=" + mark + "#" + mark
	const path = "/services/" + mark // as in the URLs of chats
	for path, step := range map[string]dispatchtest.Step{
		"/hang": dispatchtest.Hang(), "/reset": dispatchtest.Reset(), "/500": dispatchtest.Status(500), "/400": dispatchtest.Status(400),
		"/410": dispatchtest.Status(410), "/302": dispatchtest.Redirect(302, "http://u:"+mark+"@x/"+mark+query), "/429": dispatchtest.RetryAfter(429, mark),
		"/echo": dispatchtest.Raw("HTTP/1.1 " + mark + " " + mark + "\r\n\r\n"),
	} {
		r.Script(path, step)
	}
	const headers = `{"Authorization": "Bearer ` + mark + `"}`
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	for i, hook := range []struct{ url, headers, says string }{
		{secret(r.URL) + "/hang" + query, headers, "timeout"},
		{secret(r.URL) + "/reset" + query, headers, "reset"},
		{secret(r.URL) + "/500" + query, headers, "5xx"},
		{secret(r.URL) + "/400" + query, headers, "4xx"},
		{secret(r.URL) + "/410" + query, headers, "gone"},
		{secret(r.URL) + "/302" + query, headers, "3xx"},
		{secret(r.URL) + "/429" + query, headers, "429"},
		{secret(r.URL) + "/echo" + query, headers, "HTTP answer"},
		{secret("https"+strings.TrimPrefix(r.URL, "http")) + path + query, headers, "tls"},
		{secret("http://127.0.0.1:1") + path + query, headers, "refused"},
		{secret("http://hook.invalid") + path + query, headers, "dns"},
		{secret("http://169.254.169.254") + path + query, headers, "blocked"},
		{secret("ftp://127.0.0.1") + path + query, headers, "bad_url"},
		{secret(r.URL) + "/ok" + query, headers, "Run webhook 14"},
		{secret(r.URL) + "/ok" + query, headers, "bad_secret"},
		{secret(r.URL) + "/ok" + query, `{"X-Key": "` + mark + `\n"}`, "bad_headers"},
		{secret("http://x:port") + query, headers, "bad_url"},
		{secret(r.URL) + "/ok" + query, `["` + mark + `"]`, "bad_headers"},
	} {
		db.Exec(t, `INSERT INTO webhook (id, url, headers, organization_id, send_payload, send_for_all_actions, is_active, created_at, updated_at)
			VALUES ($1, $2, $3, 1, true, true, true, '2026-01-01', now())`, i+1, hook.url, hook.headers)
		said = append(said, hook.says)
	}
	return said
}

// startIn starts the program with a log of that form.
func startIn(t *testing.T, format string, environ []string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{err: proctest.NewOutput(), ended: make(chan struct{}), stop: cancel}
	a := &app{stdout: p.err, stderr: p.err, environ: environ, Tuning: relay.Tuning{Guest: true}}
	go func() {
		defer close(p.ended)
		p.code = a.execute(ctx, []string{"run"})
	}()
	t.Cleanup(func() { p.end(t) })
	p.ops = p.err.Find(t, map[string]string{
		"text": `msg="hooktail started".* ops=(\S+)`, "json": `"msg":"hooktail started".*"ops":"([^"]+)"`,
	}[format], p.ended)
	return p
}

// says returns an error unless all the words are in the log.
func (p *program) says(words ...string) error {
	log := p.err.String()
	for _, word := range words {
		if !strings.Contains(log, word) {
			return fmt.Errorf("the log does not say %q yet", word)
		}
	}
	return nil
}

// commands runs every command, without arguments and for hook 14, and notes what it
// says. Those that run on are ended after a moment.
func (o outputs) commands(t *testing.T, environ []string) {
	t.Helper()
	for _, args := range everyCommand(t) {
		// What these print is what they are for; the others do not look at the configuration.
		if slices.Contains([]string{"tail", "secret", "demo", "receiver", "man", "completion", "help"}, args[0]) || slices.Contains(args, "secret") {
			continue
		}
		for _, more := range [][]string{nil, {"14"}, {"--json"}, {"--all"}, {"--hook", "14"}} {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			out := proctest.NewOutput()
			line := slices.Concat(args, more)
			(&app{stdout: out, stderr: out, environ: environ, Tuning: relay.Tuning{Guest: true}}).execute(ctx, line)
			cancel()
			o[strings.Join(line, " ")] = out.String()
		}
	}
}

// everyCommand is the command lines of all commands that can be run, those that end
// everything last.
func everyCommand(t *testing.T) [][]string {
	t.Helper()
	var all, last [][]string
	var walk func(cmd *cobra.Command, path []string)
	walk = func(cmd *cobra.Command, path []string) {
		for _, child := range cmd.Commands() {
			line := append(slices.Clone(path), child.Name())
			switch {
			case child.Name() == "teardown":
				last = append(last, line)
			case child.Runnable():
				all = append(all, line)
			}
			walk(child, line)
		}
	}
	walk((&app{}).root(), nil)
	if len(all) < 15 {
		t.Errorf("%d commands were found", len(all))
	}
	return append(all, last...)
}
