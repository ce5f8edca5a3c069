//go:build long

package cdc

import (
	"fmt"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestDecoded: what the server counts for a slot outlives a restart, begins anew with
// another slot of the same name, and is not to be compared where it was lost.
func TestDecoded(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"14", "16", "18"} {
		t.Run(major, func(t *testing.T) {
			t.Parallel()
			testDecoded(t, cdctest.Private(t, throwaway.Options{Major: major}))
		})
	}
}

func testDecoded(t *testing.T, server *cdctest.Server) {
	db, plan := source(t, server)
	count := func() Decoded {
		t.Helper()
		d, err := decodedOf(t.Context(), db.Connect(t).PgConn(), plan.Slot)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	// until waits: before PostgreSQL 15 a process of its own keeps the statistics.
	until := func(what string, is func(Decoded) bool) (d Decoded) {
		t.Helper()
		await(t, func() string {
			if d = count(); is(d) {
				return ""
			}
			return fmt.Sprintf("%s: %+v", what, d)
		})
		return d
	}
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	before := until("nothing was decoded", func(d Decoded) bool { return d.Transactions > 0 && d.Since != "" })
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	server.Restart(t, throwaway.Fast)
	if after := count(); before.exceeds(after) || after.Since != before.Since {
		t.Errorf("after a restart: %+v, before %+v", after, before)
	}

	db.Exec(t, "SELECT pg_stat_reset_replication_slot($1)", plan.Slot)
	until("a reset is not seen", func(d Decoded) bool { return d.Since != before.Since && !before.exceeds(d) })

	db.Exec(t, "SELECT pg_drop_replication_slot($1)", plan.Slot)
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", plan.Slot)
	until("another slot seems to be the same", before.exceeds)

	server.Restart(t, throwaway.Immediate)
	if after := count(); before.exceeds(after) {
		t.Errorf("after a crash: %+v, before %+v", after, before)
	}
}
