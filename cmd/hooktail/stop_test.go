package main

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestStopEndsSoonAfterGrace: a supervisor kills a program that takes much longer to stop than
// HOOKTAIL_GRACE, for example the chart's after 5 s more. So waiting for a store that takes
// nothing has one bound, whatever the store is asked.
func TestStopEndsSoonAfterGrace(t *testing.T) {
	t.Parallel()
	const grace, more = time.Second, 5 * time.Second
	for _, table := range []string{"parked", "done", "hook_setting"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			point(t, db, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
			setUpOnce(t, db)
			p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE="+grace.String())
			conn := db.Connect(t)
			if _, err := conn.Exec(context.Background(), "BEGIN; LOCK TABLE hooktail."+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
				t.Fatal(err)
			}
			db.Exec(t, annotate, 7)
			p.Stderr.Find(t, "(Webhook failed)", p.Ended())
			begun := time.Now()
			p.Stop()
			code := p.Wait(t)
			if took := time.Since(begun); code != 0 || took > grace+more {
				t.Errorf("exit code %d after %s, want 0 within %s:\n%s", code, took.Round(time.Millisecond), grace+more, p.Stderr)
			}
		})
	}
}
