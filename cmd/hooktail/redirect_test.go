package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/status"
)

// TestRedirectTargetIsNamed: log, status, ping and doctor say where a receiver redirects to,
// and none of them shows its path.
func TestRedirectTargetIsNamed(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id <> 1")
	r.Script(path(1), dispatchtest.Redirect(308, "https://moved.example/services/"+mark+"?"+mark))
	const want = "https://moved.example"
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 1)
	proctest.WaitFor(t, func() error { return p.says("redirect=", want) })
	proctest.WaitFor(t, func() error {
		if report, _ := ask(t, p, "/status"); report.Hooks[0].Error == nil || !strings.HasPrefix(report.Hooks[0].Error.Redirect, want) {
			return fmt.Errorf("/status: %+v", report.Hooks[0].Error)
		}
		return nil
	})
	environ := proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops)
	_, ping, stderr := command(environ, "hooks", "ping", "1")
	_, doctor, _ := command(environ, "doctor")
	all := outputs{"status": must(t, environ, "status"), "ping": ping + stderr, "doctor": doctor}
	for where, text := range all {
		if !strings.Contains(text, want) {
			t.Errorf("%s does not name the target:\n%s", where, text)
		}
	}
	all.hold(t)
	p.end(t)
	outputs{"log": p.err.String()}.hold(t)
	if _, doctor, _ := command(environ, "doctor"); !strings.Contains(doctor, "redirects to another place") {
		t.Errorf("doctor alone:\n%s", doctor)
	}
}

// TestHostsOfTheOpsServer: what shows something is refused to a name that is not the server's,
// on any address; probes are not.
func TestHostsOfTheOpsServer(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	p := start(t, db, "HOOKTAIL_HTTP_ADDR=0.0.0.0:0", "HOOKTAIL_HTTP_HOSTS=hooktail.example")
	for _, tt := range []struct {
		host, path string
		want       int
	}{
		{p.ops, "/status", 200},
		{"localhost", "/", 200},
		{"hooktail.example:8484", "/status", 200},
		{"hooktail.example:8484", "/metrics", 200},
		{"evil.example", "/status", 421},
		{"evil.example", "/", 421},
		{"evil.example", "/metrics", 421},
		{"192.0.2.1", "/status", 421},
		{"evil.example", "/livez", 200},
		{"evil.example", "/readyz", 200},
	} {
		if code, body := p.getAs(t, tt.path, tt.host, ""); code != tt.want {
			t.Errorf("%s of %s: %d, want %d: %.200s", tt.path, tt.host, code, tt.want, body)
		}
	}
}

// TestTokenShowsPathsAndAnswers, and nothing else does.
func TestTokenShowsPathsAndAnswers(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	r.Script(path(1), dispatchtest.Status(503))
	const token = "correct-horse-battery"
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_ADMIN_TOKEN="+token)
	db.Exec(t, annotate, 1)
	for _, tt := range []struct{ token, url, answer string }{{token, r.URL + path(1), "ok"}, {"", r.URL + "/***", ""}} {
		proctest.WaitFor(t, func() error {
			var report status.Report
			if _, text := p.getAs(t, "/status", p.ops, tt.token); json.Unmarshal([]byte(text), &report) != nil {
				return fmt.Errorf("/status: %s", text)
			}
			h := report.Hooks[0]
			if h.URL != tt.url || h.Error == nil || h.Error.Answer != tt.answer {
				return fmt.Errorf("with token %q: %+v, %+v", tt.token, h, h.Error)
			}
			for _, a := range report.Recent {
				if a.Hook == 1 && (a.URL != tt.url || a.Answer != tt.answer) {
					return fmt.Errorf("with token %q: %+v", tt.token, a)
				}
			}
			return nil
		})
	}
}

// getAs asks the ops server by another name, with a token if there is one.
func (p *program) getAs(t *testing.T, path, host, token string) (code int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.ops+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}
