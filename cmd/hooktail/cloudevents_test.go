package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestCloudEvents: whichever way an event takes to a hook with a format, the official SDK
// reads it there: same id, and the body that other hooks get as its data. The form is the
// one that the hook has when the request is made, so also of what was stored before.
func TestCloudEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	receiver := tenHooks(t, db)
	setUpOnce(t, db)
	environ := proctest.RoleEnviron(db, oneKey)
	must(t, environ, "hooks", "pause", "4")
	must(t, environ, "hooks", "secret", "set", "3")
	format := func(hook int, format string) {
		t.Helper()
		db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, format) VALUES ($1, $2) ON CONFLICT (hook_id) DO UPDATE SET format = excluded.format`, hook, format)
	}
	format(2, "cloudevents")
	format(3, "cloudevents-structured")
	receiver.Script(path(5), dispatchtest.Status(http.StatusInternalServerError), dispatchtest.Status(http.StatusOK))
	start(t, db, oneKey, "HOOKTAIL_SETTLE=0", "HOOKTAIL_MAX_ATTEMPTS=1")
	annotation := db.QueryText(t, annotate, 7)
	plain := receiver.Wait(t, path(1), 1)[0]
	check := func(way string, got dispatchtest.Request, structured bool) {
		t.Helper()
		e := dispatchtest.CloudEvent(t, got.Header, got.Body)
		if e.ID() != plain.Event || e.Type() != "io.labelstud.annotation.created" || e.Source() != "/projects/1" || e.Subject() != "tasks/7" || compacted(e.Data()) != compacted(plain.Body) {
			t.Errorf("%s: %s", way, e)
		}
		if is := got.Header.Get("Content-Type") == "application/cloudevents+json"; is != structured {
			t.Errorf("%s: headers %v", way, got.Header)
		}
	}
	check("binary", receiver.Wait(t, path(2), 1)[0], false)
	check("structured", receiver.Wait(t, path(3), 1)[0], true)

	format(4, "cloudevents")
	must(t, environ, "hooks", "resume", "4")
	check("parked before it had a format", receiver.Wait(t, path(4), 1)[0], false)

	receiver.Wait(t, path(5), 1)
	oneIsDead(t, db)
	format(5, "cloudevents-structured")
	must(t, environ, "deliveries", "redrive", "--hook", "5")
	check("redriven", receiver.Wait(t, path(5), 2)[1], true)

	must(t, environ, "backfill", "--hook", "2", "--project", "1", "--action", "ANNOTATION_CREATED", "--since", "1h")
	got := receiver.Wait(t, path(2), 2)[1]
	e := dispatchtest.CloudEvent(t, got.Header, got.Body)
	if !strings.HasPrefix(e.ID(), "backfill-annotation-"+annotation+"-") || e.Type() != "io.labelstud.annotation.created" || e.Subject() != "tasks/7" {
		t.Errorf("backfilled: %s", e)
	}

	shown := must(t, environ, "hooks", "ping", "3")
	got = receiver.Wait(t, path(3), 2)[1]
	e = dispatchtest.CloudEvent(t, got.Header, got.Body)
	if e.Type() != "io.labelstud.ping" || e.Source() != "/" || compacted(e.Data()) != `{"action":"PING"}` || got.Header.Get("Webhook-Signature") == "" {
		t.Errorf("pinged: %s", e)
	}
	if !strings.Contains(shown, "Content-Type: application/cloudevents+json\n") || !strings.Contains(shown, string(got.Body)) {
		t.Errorf("ping does not show what it has sent:\n%s", shown)
	}
}

// TestUnknownFormat: a form that nobody knows stops its hook alone, with the reason, until
// it is corrected.
func TestUnknownFormat(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	receiver := tenHooks(t, db)
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, format) VALUES (2, 'protobuf')")
	db.Exec(t, annotate, 7)
	receiver.Wait(t, path(1), 1)
	p.err.Find(t, `level=ERROR msg="Webhook refused: hooktail cannot send to it" hook=2 reason=bad_row fault="format .*protobuf.* is invalid`, p.ended)
	oneIsDead(t, db)
	if n := len(receiver.Requests(path(2))); n != 0 {
		t.Errorf("hook 2 got %d requests", n)
	}
	var facts struct{ Format, State string }
	if shown := must(t, proctest.RoleEnviron(db), "hooks", "show", "2", "--json"); json.Unmarshal([]byte(shown), &facts) != nil || facts.Format != "protobuf" || facts.State != "refused" {
		t.Errorf("hooks show --json: %s", shown)
	}
	db.Exec(t, "UPDATE hooktail.hook_setting SET format = 'cloudevents' WHERE hook_id = 2")
	proctest.WaitFor(t, func() error {
		if _, text := ask(t, p, "/status"); !strings.Contains(text, `"format":"cloudevents"`) {
			return errors.New("hook 2 has its old format")
		}
		return nil
	})
	must(t, proctest.RoleEnviron(db), "deliveries", "redrive", "--hook", "2")
	got := receiver.Wait(t, path(2), 1)[0]
	dispatchtest.CloudEvent(t, got.Header, got.Body)
}

// compacted is JSON without blanks: the SDK keeps none of the structured form.
func compacted(data []byte) string {
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		return err.Error()
	}
	return out.String()
}

func oneIsDead(t *testing.T, db *cdctest.Database) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if n := parkedRows(t, db, "dead"); n != "1" {
			return fmt.Errorf("%s deliveries are dead", n)
		}
		return nil
	})
}
