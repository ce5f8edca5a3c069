package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
)

// TestListsOfHooks: both lists show the hooks that need a person first, with the reason,
// no path of a URL, and no line that is wider than the terminal.
func TestListsOfHooks(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &status.Report{Running: true, Ready: true, Role: "leader", Time: now, Stream: &status.Stream{}, Hooks: []status.Hook{
		{ID: 1, State: "live", URL: "https://receiver.example.com:8443/secret/path", AllActions: true, About: "working"},
		{ID: 2, State: "inactive", URL: "http://b/", Actions: []string{"TASK_CREATED"}, About: "inactive in Label Studio"},
		{ID: 3, State: "refused", URL: "", Actions: []string{"TASK_CREATED", "PROJECT_CREATED"}, About: "hooktail cannot send to it: url must begin with http:// or https://"},
		{
			ID: 14, Project: 7, State: "failing", URL: "http://hooks.slack.com/services/T0/B0/secret", AllActions: true, About: "every attempt fails", Parked: 12_000,
			Error: &status.Failure{At: now.Add(-90 * time.Second), Status: 503, Answer: "no \x1b[31mroom " + strings.Repeat("at all ", 20)},
		},
		{ID: 5, State: "paused", URL: "http://c", About: "paused by a person: its events are parked"},
		{ID: 6, State: "live", URL: "http://c", AllActions: true, About: "2 deliveries wait for another attempt", Retrying: 2},
	}}
	for name, print := range map[string]func(display.Screen, *status.Report) error{"hooks list": listHooks, "status": printStatus} {
		var out strings.Builder
		if err := print(display.Screen{Writer: &out, Width: 80}, r); err != nil {
			t.Fatal(err)
		}
		shown := out.String()
		_, rows, _ := strings.Cut(shown, "STATE")
		var order []string
		for line := range strings.Lines(rows) {
			if words := strings.Fields(line); len(words) > 1 && strings.Trim(words[0], "0123456789") == "" && !strings.HasPrefix(line, "      ") {
				order = append(order, words[0]+" "+words[1])
			}
		}
		if want := []string{"3 refused", "14 failing", "5 paused", "6 live", "1 live", "2 inactive"}; !slices.Equal(order, want) {
			t.Errorf("%s: the order is %q, want %q:\n%s", name, order, want, shown)
		}
		for _, want := range []string{"(invalid)", "https://receiver.exampl", "url must begin with http:// or https://", "last error 2 min ago: 503 no [31mroom", "paused by a person", "2 deliveries wait for another attempt"} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s does not show %q:\n%s", name, want, shown)
			}
		}
		if strings.Contains(shown, "secret") || strings.Contains(shown, "services") || strings.Contains(shown, "\x1b") || strings.Contains(shown, "inactive in Label Studio") {
			t.Errorf("%s shows too much:\n%s", name, shown)
		}
		fitsWidth(t, shown)
	}
}

// TestHooksListShowsTheStatesOfStatus, as JSON too, and those of the database where the
// program does not run.
func TestHooksListShowsTheStatesOfStatus(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	db.Exec(t, "UPDATE webhook SET url = 'http://127.0.0.1:1/secret' WHERE id = 2")
	db.Exec(t, "UPDATE webhook SET url = '' WHERE id = 4")
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 7)
	var list []status.Hook
	read := func(environ []string) (code int, stderr string) {
		code, stdout, stderr := command(environ, "hooks", "list", "--json")
		list = nil
		if err := json.Unmarshal([]byte(stdout), &list); err != nil {
			t.Fatalf("%v: %s", err, stderr)
		}
		return code, stderr
	}
	running := proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops)
	proctest.WaitFor(t, func() error {
		if code, stderr := read(running); code != exitDone || stderr != "" {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		report, _ := ask(t, p, "/status")
		return sameStates(list, report.Hooks)
	})
	table := must(t, running, "hooks", "list")
	for _, want := range []string{"ID  STATE", " 4  refused ", "http://127.0.0.1:1/***", "(invalid)"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	if strings.Contains(table, "secret") {
		t.Errorf("the table shows a path:\n%s", table)
	}
	if one := must(t, running, "hooks", "show", "4"); !strings.Contains(one, "now:           refused: ") {
		t.Errorf("hooks show does not say how the hook is now:\n%s", one)
	}
	p.end(t)
	if one := must(t, running, "hooks", "show", "4"); strings.Contains(one, "now:") {
		t.Errorf("hooks show knows how the hook is, though hooktail does not run:\n%s", one)
	}
	if code, stderr := read(running); code != exitDone || !strings.Contains(stderr, "hooktail is not running on "+p.ops+" (connection refused); showing database state only") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if len(list) != 10 || list[3].State != "refused" || list[0].State != relay.UnknownState {
		t.Errorf("%d hooks, %+v", len(list), list[0])
	}
}

func sameStates(a, b []status.Hook) error {
	for i := range a {
		if i >= len(b) || a[i].ID != b[i].ID || a[i].State != b[i].State {
			return fmt.Errorf("hook %d is %s, which status does not say", a[i].ID, a[i].State)
		}
	}
	if len(a) != 10 || a[1].State != "failing" && a[1].State != "live" {
		return fmt.Errorf("%d hooks, %+v", len(a), a)
	}
	return nil
}

// TestMaskedURL: the host is shown, nothing else.
func TestMaskedURL(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://hooks.slack.com/services/T0/B0/x": "https://hooks.slack.com/***", "http://h:9000": "http://h:9000", "http://h/": "http://h/",
		"http://h/***": "http://h/***", "http://jane:word@h/?q=1": "http://h/", "": "(invalid)", "ftp": "(invalid)", "http://[::1/": "(invalid)",
	} {
		if got := maskedURL(url); got != want {
			t.Errorf("%q is shown as %q, want %q", url, got, want)
		}
	}
}
