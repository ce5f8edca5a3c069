package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/status"
)

// TestStatusSaysHowThingsStand: /status and the command show each hook as it is, and
// nothing that is private.
func TestStatusSaysHowThingsStand(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	r.Script(path(2), dispatchtest.Status(503))
	r.Script(path(3), dispatchtest.Status(410))
	db.Exec(t, `UPDATE webhook SET url = replace(url, 'http://', 'http://jane:opensesame1@') || '/opensesame5?opensesame2', headers = '{"X-Key": "opensesame3"}' WHERE id = 1`)
	db.Exec(t, "UPDATE webhook SET url = 'ftp://x' WHERE id = 4")
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id = 5")
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	for task := 1; task <= 5; task++ {
		db.Exec(t, strings.Replace(annotate, "'[]'", `'["opensesame4"]'`, 1), task)
	}
	delivered := func(n int) error {
		report, _ := ask(t, p, "/status")
		if got := report.Hooks[0].Counts.Delivered; got != uint64(n) {
			return fmt.Errorf("hook 1 got %d", got)
		}
		for i, want := range []string{"live", "failing", "stopped", "refused", "inactive", "live"} {
			if h := report.Hooks[i]; h.State != want {
				return fmt.Errorf("hook %d is %s, want %s", h.ID, h.State, want)
			}
		}
		if n := report.Hooks[1].Parked; n != 5 {
			return fmt.Errorf("%d are parked for hook 2", n)
		}
		return nil
	}
	proctest.WaitFor(t, func() error { return delivered(5) })

	report, text := ask(t, p, "/status")
	if !report.Running || report.Role != "leader" || !report.Ready || report.Stream == nil || !report.Stream.Connected || report.Stream.Confirmed == "0/0" || report.Started.IsZero() || report.Leads.IsZero() {
		t.Errorf("report %+v, stream %+v", report, report.Stream)
	}
	first, second := report.Hooks[0], report.Hooks[1]
	if first.URL != r.URL+"/***" || first.P50 == nil || *first.P99 < *first.P50 || first.Samples != 5 || first.Last.IsZero() || first.Error != nil {
		t.Errorf("hook 1: %+v", first)
	}
	if e := second.Error; e == nil || e.Status != 503 || e.Answer != "" || second.Counts.Retried == 0 || second.Oldest.IsZero() {
		t.Errorf("hook 2: %+v, %+v", second, e)
	}
	if n := len(report.Recent); n < 5 {
		t.Errorf("%d recent attempts", n)
	}
	newest := report.Recent[len(report.Recent)-1].Seq
	if rest, _ := ask(t, p, fmt.Sprintf("/status?after=%d", newest-1)); len(rest.Recent) == 0 || rest.Recent[0].Seq != newest {
		t.Errorf("after all but one: %+v", rest.Recent)
	}
	stored := struct{ Deliveries []status.Stored }{}
	if _, body := p.get(t, "/status/deliveries?state=parked&hook=2"); json.Unmarshal([]byte(body), &stored) != nil || len(stored.Deliveries) != 5 {
		t.Errorf("stored: %s", body)
	}

	environ := proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops)
	table := must(t, environ, "status")
	for _, want := range []string{"leader, ready", "slot " + db.Name, "failing", "stopped", "503", "url must begin with"} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q in\n%s", want, table)
		}
	}
	var printed status.Report
	if err := json.Unmarshal([]byte(must(t, environ, "status", "--json")), &printed); err != nil || printed.Role != "leader" || len(printed.Hooks) != 10 {
		t.Errorf("status --json: %v, %+v", err, printed)
	}
	_, page := p.get(t, "/")
	for name, shown := range map[string]string{"/status": text, "the table": table, "the page": page} {
		if strings.Contains(shown, "opensesame") {
			t.Errorf("%s shows a secret: %s", name, shown)
		}
	}
	if code, body := p.get(t, "/status/payload?seq=1"); code != 401 {
		t.Errorf("payload without a token: %d %s", code, body)
	}
}

// ask is a report of the program.
func ask(t *testing.T, p *program, path string) (report status.Report, text string) {
	t.Helper()
	code, text := p.get(t, path)
	if err := json.Unmarshal([]byte(text), &report); err != nil || code != 200 {
		t.Fatalf("%s: %d %v %s", path, code, err, text)
	}
	return report, text
}

// TestStatusWithoutARunningOne: then the database tells what it can.
func TestStatusWithoutARunningOne(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	environ := proctest.Environ(db) // before setup there is no role but the owner
	code, stdout, stderr := command(environ, "status")
	if code != exitDone || !strings.Contains(stderr, "showing database state only") || !strings.Contains(stdout, "there is no slot") {
		t.Errorf("before setup: %d\n%s\n%s", code, stdout, stderr)
	}
	must(t, environ, "setup")
	storeDeliveries(t, db)
	var report status.Report
	if err := json.Unmarshal([]byte(must(t, environ, "status", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	s := report.Stream
	if report.Running || s == nil || s.Active == nil || *s.Active || s.Retained == nil || s.LagBytes == nil || s.Confirmed == "0/0" {
		t.Errorf("report %+v, stream %+v", report, s)
	}
	if h := report.Hooks[0]; h.ID != 1 || h.Parked != 3 || h.Dead != 2 || h.State != "unknown" || h.Oldest.IsZero() {
		t.Errorf("hook %+v", h)
	}
}
