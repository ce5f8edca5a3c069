package status

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

const token = "correct-horse-battery"

// stage is a Program that says what it was asked.
type stage struct {
	mu     sync.Mutex
	acts   []Action
	query  Query
	list   state.Filter
	search Search
	reason string // why it is not ready
	err    error
}

func (s *stage) Report(_ context.Context, q Query) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.query = q
	return Report{Running: true, Role: "leader", Reason: s.reason}
}

func (s *stage) Stored(_ context.Context, f state.Filter) ([]Stored, error) {
	s.list = f
	return []Stored{{Hook: 1, Event: "1-16-0"}}, s.err
}

func (s *stage) History(_ context.Context, q Search, _ bool) ([]Attempt, error) {
	s.search = q
	return []Attempt{{Hook: 1, Event: "1-16-0"}}, s.err
}

func (s *stage) Past(_ context.Context, q Search) (Past, error) {
	s.search = q
	return Past{Events: []Logged{{Hook: q.Hook, Position: 48211}}}, s.err
}

func (s *stage) Series(context.Context) (Series, error) { return Series{Times: []int64{1}}, s.err }

func (s *stage) Payload(_ context.Context, p Payload) ([]byte, error) {
	if p.Seq == 404 {
		return nil, nil
	}
	return []byte(`{"secret": "payload"}`), s.err
}

func (s *stage) Act(_ context.Context, a Action) (Done, error) {
	s.acts = append(s.acts, a)
	return Done{Message: "done"}, s.err
}

func newStage(o Options) (*stage, http.Handler) {
	s := &stage{}
	o.Program, o.Log = s, slog.New(slog.DiscardHandler)
	return s, Handler(o)
}

// call is a request from this machine, with headers in pairs.
func call(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "localhost:8484"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// scripts are the paths of all that the page may run.
func scripts(t *testing.T) (paths []string) {
	t.Helper()
	names, err := fs.Glob(assets, "assets/*.js")
	if err != nil || len(names) < 5 {
		t.Fatalf("scripts %q, %v", names, err)
	}
	for _, name := range names {
		paths = append(paths, strings.TrimPrefix(name, "assets"))
	}
	return paths
}

func TestEverythingIsProtected(t *testing.T) {
	_, h := newStage(Options{Token: token})
	for _, target := range append(scripts(t), "/", "/page.css", "/lists.css", "/uPlot.css", "/icon.svg", "/status", "/status/deliveries", "/status/history", "/status/log?hook=1", "/status/series", "/session", "/nowhere") {
		w := call(h, http.MethodGet, target, "")
		if (w.Code == http.StatusOK) != (target != "/nowhere") {
			t.Errorf("%s: %d", target, w.Code)
		}
		csp := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: no %q in %q", target, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", target, w.Header())
		}
	}
}

// The page has neither script nor style of its own, and loads nothing from elsewhere.
func TestPageNeedsNobodyElse(t *testing.T) {
	_, h := newStage(Options{})
	page := call(h, http.MethodGet, "/", "").Body.String()
	for _, bad := range []string{"http://", "https://", "//", "<style", " style=", " onclick=", " onload=", "javascript:"} {
		if strings.Contains(strings.ReplaceAll(page, "<!doctype html>", ""), bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, script := range scripts(t) {
		text := call(h, http.MethodGet, script, "").Body.String()
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "localStorage"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %s", script, bad)
			}
		}
	}
	tag := call(h, http.MethodGet, "/page.js", "").Header().Get("ETag")
	if w := call(h, http.MethodGet, "/page.js", "", "If-None-Match", tag); tag == "" || w.Code != http.StatusNotModified {
		t.Errorf("known script: %d", w.Code)
	}
}

func TestTokenIsNeeded(t *testing.T) {
	const pause = `{"do": "pause", "hook": 1}`
	for _, tt := range []struct {
		name, token    string
		method, target string
		body           string
		headers        []string
		want           int
	}{
		{"looking", token, "GET", "/status", "", nil, 200},
		{"looking with the token", token, "GET", "/status", "", []string{"Authorization", "Bearer " + token}, 200},
		{"looking with another", token, "GET", "/status", "", []string{"Authorization", "Bearer " + token + "x"}, 401},
		{"looking with one where there is none", "", "GET", "/status", "", []string{"Authorization", "Bearer "}, 401},
		{"payload", token, "GET", "/status/payload?seq=1", "", nil, 401},
		{"payload with the token", token, "GET", "/status/payload?seq=1", "", []string{"Authorization", "bearer " + token}, 200},
		{"payload of nothing", token, "GET", "/status/payload?seq=x", "", []string{"Authorization", "Bearer " + token}, 400},
		{"payload of no attempt", token, "GET", "/status/payload?seq=0", "", []string{"Authorization", "Bearer " + token}, 400},
		{"payload of no hook", token, "GET", "/status/payload?hook=0&event=1-16B374D848-3", "", []string{"Authorization", "Bearer " + token}, 400},
		{"payload of no position", token, "GET", "/status/payload?hook=1&position=0", "", []string{"Authorization", "Bearer " + token}, 400},
		{"payload of no event", token, "GET", "/status/payload?hook=1&event=repair-0-0", "", []string{"Authorization", "Bearer " + token}, 400},
		{"payload that is gone", token, "GET", "/status/payload?seq=404", "", []string{"Authorization", "Bearer " + token}, 404},
		{"acting", token, "POST", "/act", pause, nil, 401},
		{"acting with the token", token, "POST", "/act", pause, []string{"Authorization", "Bearer " + token}, 200},
		{"acting with another", token, "POST", "/act", pause, []string{"Authorization", "Bearer wrong"}, 401},
		{"acting where nobody may", "", "POST", "/act", pause, nil, 403},
		{"acting with a cookie of nobody", token, "POST", "/act", pause, []string{"Cookie", "hooktail_session=guessed"}, 401},
		{"acting by a form", token, "POST", "/act", pause, []string{"Authorization", "Bearer " + token, "Content-Type", "text/plain"}, 415},
		{"acting by GET", token, "GET", "/act", "", []string{"Authorization", "Bearer " + token}, 405},
		{"log in where nobody may", "", "POST", "/session", `{"token": ""}`, nil, 403},
		{"log in", token, "POST", "/session", `{"token": "` + token + `"}`, nil, 200},
		{"log in with another", token, "POST", "/session", `{"token": "wrong"}`, nil, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, h := newStage(Options{Token: tt.token})
			w := call(h, tt.method, tt.target, tt.body, tt.headers...)
			if w.Code != tt.want {
				t.Errorf("%d, want %d: %s", w.Code, tt.want, w.Body)
			}
			if acted := len(s.acts) > 0; acted != (tt.want == 200 && tt.target == "/act") {
				t.Errorf("acted: %v", acted)
			}
			if strings.Contains(w.Body.String(), token) || w.Code != 200 && strings.Contains(w.Body.String(), "payload\"") {
				t.Errorf("the answer tells too much: %s", w.Body)
			}
		})
	}
}

// logIn is a session's cookie and what its requests repeat.
func logIn(t *testing.T, h http.Handler) (cookie, csrf string) {
	t.Helper()
	w := call(h, http.MethodPost, "/session", `{"token": "`+token+`"}`)
	var state struct {
		CSRF string `json:"csrf"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &state); err != nil || state.CSRF == "" {
		t.Fatalf("log in: %d %s", w.Code, w.Body)
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || strings.Contains(c.Value, token) {
		t.Errorf("cookie %v", c)
	}
	return c.Name + "=" + c.Value, state.CSRF
}

func TestSessionActsFromItsPageAlone(t *testing.T) {
	s, h := newStage(Options{Token: token})
	cookie, csrf := logIn(t, h)
	for _, tt := range []struct {
		name    string
		headers []string
		want    int
	}{
		{"the page", []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8484"}, 200},
		{"without the session's word", []string{"Cookie", cookie}, 403},
		{"with another's", []string{"Cookie", cookie, "X-CSRF-Token", csrf + "x"}, 403},
		{"another site", []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Sec-Fetch-Site", "cross-site"}, 403},
		{"another site, an old browser", []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Origin", "http://evil.example"}, 403},
		{"another port", []string{"Cookie", cookie, "X-CSRF-Token", csrf, "Sec-Fetch-Site", "same-site"}, 403},
		{"another site with the token", []string{"Authorization", "Bearer " + token, "Sec-Fetch-Site", "cross-site"}, 403},
	} {
		s.acts = nil
		w := call(h, http.MethodPost, "/act", `{"do": "resume", "hook": 7}`, tt.headers...)
		if w.Code != tt.want || (len(s.acts) == 1) != (tt.want == 200) {
			t.Errorf("%s: %d %s, acted %v", tt.name, w.Code, w.Body, s.acts)
		}
	}
	if w := call(h, http.MethodPost, "/session", `{"token": "`+token+`"}`, "Sec-Fetch-Site", "cross-site"); w.Code != 403 {
		t.Errorf("another site logs in: %d", w.Code)
	}
	call(h, http.MethodGet, "/status", "", "Cookie", cookie)
	if !s.query.Payloads {
		t.Error("the session does not see payloads")
	}
	call(h, http.MethodPost, "/session/end", "{}", "Cookie", cookie)
	if w := call(h, http.MethodPost, "/act", `{"do": "resume", "hook": 7}`, "Cookie", cookie, "X-CSRF-Token", csrf); w.Code != 401 {
		t.Errorf("after logging out: %d", w.Code)
	}
}

func TestSecureCookieBehindTLS(t *testing.T) {
	_, h := newStage(Options{Token: token})
	w := call(h, http.MethodPost, "/session", `{"token": "`+token+`"}`, "X-Forwarded-Proto", "https")
	if !w.Result().Cookies()[0].Secure {
		t.Error("the cookie is not secure behind a proxy that ends TLS")
	}
}

func TestGuessesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, h := newStage(Options{Token: token})
		for n := range guesses {
			if w := call(h, http.MethodGet, "/status", "", "Authorization", "Bearer wrong"); w.Code != 401 {
				t.Fatalf("guess %d: %d", n+1, w.Code)
			}
		}
		right := func() int { return call(h, http.MethodPost, "/session", `{"token": "`+token+`"}`).Code }
		if w := call(h, http.MethodGet, "/status", "", "Authorization", "Bearer wrong"); w.Code != 429 || w.Header().Get("Retry-After") == "" {
			t.Errorf("one guess too many: %d", w.Code)
		}
		if code := right(); code != 429 {
			t.Errorf("the right token after too many guesses: %d", code)
		}
		if w := call(h, http.MethodGet, "/status", ""); w.Code != 200 {
			t.Errorf("looking: %d", w.Code)
		}
		time.Sleep(guessWindow) //nolint:forbidigo // the bubble's clock
		if code := right(); code != 200 {
			t.Errorf("a minute later: %d", code)
		}
	})
}

func TestGuessersAndSessionsAreBounded(t *testing.T) {
	g, now := newGate(token), time.Now()
	for n := range 3 * maxGuessers {
		g.guess(string(rune(n+1)), "wrong", now)
	}
	if len(g.wrong) > maxGuessers {
		t.Errorf("%d addresses are remembered", len(g.wrong))
	}
	if right, _ := g.guess("another", token, now); !right {
		t.Error("guesses of others keep the right token out")
	}
	first, _ := g.begin(now)
	last := ""
	for n := range 2 * maxSessions {
		last, _ = g.begin(now.Add(time.Duration(n+1) * time.Second))
	}
	if len(g.sessions) > maxSessions || g.find(first, now).valid || !g.find(last, now).valid {
		t.Errorf("%d sessions, the first is valid: %v", len(g.sessions), g.find(first, now).valid)
	}
	if g.find(last, now.Add(2*sessionFor)).valid {
		t.Error("a session does not end")
	}
}

func TestActionsAreChecked(t *testing.T) {
	for _, tt := range []struct {
		body string
		err  error
		want int
		told string
	}{
		{`{"do": "ping", "hook": 1}`, nil, 200, "done"},
		{`{"do": "redrive", "hook": 1}`, nil, 200, "done"},
		{`{"do": "redrive", "hook": 1, "event": "1-16B374D848-3", "reason": "exhausted"}`, nil, 200, "done"},
		{`{"do": "discard", "hook": 1, "state": "parked", "dry_run": true}`, nil, 200, "done"},
		{`{"do": "discard"}`, nil, 400, "hook"},
		{`{"do": "discard", "hook": 0}`, nil, 400, "hook"},
		{`{"do": "pause", "hook": -5}`, nil, 200, "done"},
		{`{"do": "discard", "hook": 1, "state": "alive"}`, nil, 400, "parked or dead"},
		{`{"do": "redrive", "hook": 1, "state": "parked"}`, nil, 400, "automatically"},
		{`{"do": "redrive", "hook": 1, "event": "x"}`, nil, 400, "not an event's id"},
		{`{"do": "discard", "hook": 1, "event": "repair-0-0"}`, nil, 400, "not an event's id"},
		{`{"do": "pause", "hook": 1, "event": "1-16B374D848-3"}`, nil, 400, "nothing else"},
		{`{"do": "retry", "hook": 1}`, nil, 200, "done"},
		{`{"do": "resend", "hook": 1, "seq": 7}`, nil, 200, "done"},
		{`{"do": "resend", "hook": 1, "position": 7}`, nil, 200, "done"},
		{`{"do": "resend", "hook": 1, "position": 7, "seq": 7}`, nil, 400, "nothing else"},
		{`{"do": "resend", "hook": 1}`, nil, 400, "seq"},
		{`{"do": "redrive", "hook": 1, "position": 7}`, nil, 400, "nor position"},
		{`{"do": "resend", "hook": 1, "seq": 7, "action": "TASK_CREATED"}`, nil, 400, "nothing else"},
		{`{"do": "redrive", "hook": 1, "seq": 7}`, nil, 400, "neither seq"},
		{`{"do": "backfill", "hook": 1, "project": 2, "action": "TASK_CREATED", "since": "2026-11-28T21:30:00Z"}`, nil, 200, "done"},
		{`{"do": "backfill", "hook": 1, "action": "TASK_CREATED"}`, nil, 400, "a project"},
		{`{"do": "backfill", "hook": 1, "project": 2, "action": "TASK_CREATED", "task": 3}`, nil, 400, "a project"},
		{`{"do": "stop_backfill", "hook": 1}`, nil, 200, "done"},
		{`{"do": "adopt", "hook": 1}`, nil, 200, "done"},
		{`{"do": "release", "hook": 1, "project": 2}`, nil, 400, "nothing else"},
		{`{"do": "discard", "hook": 1, "task": 8, "since": "2026-11-28T21:30:00Z", "until": "2026-11-28T22:30:00Z"}`, nil, 200, "done"},
		{`{"do": "retry", "hook": 1, "task": 8}`, nil, 400, "nothing else"},
		{`{"do": "drop", "hook": 1}`, nil, 400, "pause, resume"},
		{`{"do": "pause", "hook": 1, "all": true}`, nil, 400, "JSON object"},
		{`{"do": "pause", "hook": 1} {}`, nil, 400, "JSON object"},
		{`[]`, nil, 400, "JSON object"},
		{`{"do": "` + strings.Repeat("x", maxForm) + `"}`, nil, 400, "JSON object"},
		{`{"do": "pause", "hook": 1}`, &Problem{"no such hook"}, 422, "no such hook"},
		{`{"do": "pause", "hook": 1}`, ErrStandby, 409, "not the leader"},
		{`{"do": "pause", "hook": 1}`, errors.New("password in here"), 503, "see the log"},
	} {
		s, h := newStage(Options{Token: token})
		s.err = tt.err
		w := call(h, http.MethodPost, "/act", tt.body, "Authorization", "Bearer "+token)
		if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.told) || strings.Contains(w.Body.String(), "password") {
			t.Errorf("%.80s: %d %s", tt.body, w.Code, w.Body)
		}
	}
}

func TestListIsFiltered(t *testing.T) {
	s, h := newStage(Options{})
	for _, tt := range []struct {
		query string
		want  state.Filter
		code  int
	}{
		{"", state.Filter{Limit: 100}, 200},
		{"?hook=3&state=dead&action=TASK_CREATED&reason=exhausted&limit=500", state.Filter{Hook: 3, State: state.Dead, Action: "TASK_CREATED", Reason: "exhausted", Limit: 500}, 200},
		{"?hook=x", state.Filter{}, 400},
		{"?state=alive", state.Filter{}, 400},
		{"?limit=501", state.Filter{}, 400},
		{"?limit=0", state.Filter{}, 400},
	} {
		s.list = state.Filter{}
		if w := call(h, http.MethodGet, "/status/deliveries"+tt.query, ""); w.Code != tt.code || s.list != tt.want {
			t.Errorf("%s: %d, %+v", tt.query, w.Code, s.list)
		}
	}
	for _, bad := range []string{"after=-1", "hooks=0", "hooks=all", "hook=x"} {
		if w := call(h, http.MethodGet, "/status?"+bad, ""); w.Code != 400 {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	call(h, http.MethodGet, "/status?after=7&hooks=100&hook=3&find=+example.com&pulses=1", "")
	if want := (Query{After: 7, Hooks: 100, Hook: 3, Find: "example.com", Pulses: true}); s.query != want {
		t.Errorf("asked %+v, want %+v", s.query, want)
	}
}

// A name that a field of the report has stays: programs read it.
func TestNamesOfTheReport(t *testing.T) {
	_, h := newStage(Options{})
	text, err := io.ReadAll(call(h, http.MethodGet, "/status", "").Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"version"`, `"time"`, `"running":true`, `"role":"leader"`, `"ready"`, `"stream"`, `"progress"`, `"hooks"`, `"recent"`, `"admin":false`, `"authorized":false`} {
		if !strings.Contains(string(text), name) {
			t.Errorf("no %s in %s", name, text)
		}
	}
}
