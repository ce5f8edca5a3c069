package main

import (
	"fmt"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestHooksRestoredInOneTransaction: what is parked for hooks is not lost when one
// transaction replaces all rows of the table, as a restore does. It has more rows than are
// read at a time.
func TestHooksRestoredInOneTransaction(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	r.Script(path(1), dispatchtest.Status(503))
	start(t, db, "HOOKTAIL_SETTLE=0")
	const events = 20
	annotateMany(t, db, events)
	proctest.WaitFor(t, func() error {
		if n := parkedRows(t, db, "parked"); n != fmt.Sprint(events) {
			return fmt.Errorf("%s are parked", n)
		}
		return nil
	})
	db.Exec(t, `DO $$ BEGIN
		CREATE TEMP TABLE kept ON COMMIT DROP AS TABLE webhook;
		DELETE FROM webhook_action;
		DELETE FROM webhook;
		INSERT INTO webhook (id, url, organization_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
			SELECT n, 'http://127.0.0.1:9/', 1, true, true, '{}', false, now(), now() FROM generate_series(1001, 4000) n;
		INSERT INTO webhook SELECT * FROM kept ORDER BY id DESC;
	END $$`)
	r.Script(path(1))
	db.Exec(t, "UPDATE webhook SET url = url || '?' WHERE id = 1") // retries at once
	r.WaitFor(t, path(1), "all events", func(got []dispatchtest.Request) bool {
		n := 0
		for _, request := range got {
			if request.Status == 200 {
				n++
			}
		}
		return n >= events
	})
}
