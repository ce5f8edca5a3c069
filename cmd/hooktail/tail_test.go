package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTailPrintsEvents: tail prints what is committed from now on, an event per line,
// whether or not a hook wants it. It ends with its context, and its slot with it.
func TestTailPrintsEvents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	must(t, proctest.Environ(db), "setup", "--custom-events")
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, "UPDATE project SET title = 'before', updated_at = now() WHERE id = 1")
	slots := func(want string) { // that show what is committed from now on
		t.Helper()
		proctest.WaitFor(t, func() error {
			if n := db.QueryText(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE $1 AND confirmed_flush_lsn IS NOT NULL", db.Name+"_tail_%"); n != want {
				return fmt.Errorf("tail has %s slots, want %s", n, want)
			}
			return nil
		})
	}

	out, end := tailing(t, db)
	slots("1")
	db.Exec(t, "UPDATE project SET title = 'after', updated_at = now() + interval '1 s' WHERE id = 1")

	line := out.Find(t, `(?m)^(.*)\n`, nil)
	var event struct {
		ID, LSN, Action string
		Organization    int64
		Project         int64
		Body            struct {
			Action  string
			Project struct{ Title string }
		}
	}
	if err := json.Unmarshal([]byte(line), &event); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if event.Action != "PROJECT_UPDATED" || event.Body.Action != event.Action || event.Body.Project.Title != "after" || event.Organization != 1 || event.Project != 1 {
		t.Errorf("the event is %s", line)
	}
	if !regexp.MustCompile(`^[0-9A-F]+/[0-9A-F]+$`).MatchString(event.LSN) || event.ID == "" {
		t.Errorf("the event has the position %q and the id %q", event.LSN, event.ID)
	}
	db.Exec(t, `SELECT hooktail.emit('MODEL_OUTDATED', 1, '{"n": 1.50}', 7)`)
	line = out.Find(t, `(?m)^(.*MODEL_OUTDATED.*)\n`, nil)
	var custom struct {
		Action        string
		Project, Task int64
		Body          struct{ Payload json.RawMessage }
	}
	if err := json.Unmarshal([]byte(line), &custom); err != nil || custom.Action != "MODEL_OUTDATED" || custom.Project != 1 || custom.Task != 7 || string(custom.Body.Payload) != `{"n":1.50}` {
		t.Errorf("the custom event is %s (%v)", line, err)
	}
	end()
	slots("0")

	out, end = tailing(t, db, "--format", "cloudevents")
	slots("1")
	db.Exec(t, "UPDATE project SET title = 'later', updated_at = now() + interval '2 s' WHERE id = 1")
	var same struct {
		SpecVersion, ID, Source, Type, Time string
		Data                                struct {
			Action  string
			Project struct{ Title string }
		}
	}
	if line := out.Find(t, `(?m)^(.*)\n`, nil); json.Unmarshal([]byte(line), &same) != nil || same.SpecVersion != "1.0" || same.ID == "" || same.Time == "" ||
		same.Source != "/projects/1" || same.Type != "io.labelstud.project.updated" || same.Data.Action != "PROJECT_UPDATED" || same.Data.Project.Title != "later" {
		t.Errorf("the CloudEvent is %s", line)
	}
	end()
	slots("0")
}

// tailing runs tail with these flags. end stops it.
func tailing(t *testing.T, db *cdctest.Database, flags ...string) (out *proctest.Output, end func()) {
	t.Helper()
	out, stderr := proctest.NewOutput(), proctest.NewOutput()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	code := -1
	go func() {
		defer close(ended)
		a := &app{stdout: out, stderr: stderr, environ: proctest.RoleEnviron(db)}
		code = a.execute(ctx, append([]string{"tail"}, flags...))
	}()
	end = sync.OnceFunc(func() {
		cancel()
		<-ended
		if code != exitDone {
			t.Errorf("exit code = %d:\n%s", code, stderr)
		}
	})
	t.Cleanup(end)
	return out, end
}
