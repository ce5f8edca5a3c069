//go:build long

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestStatusWhileNothingIsRead: while the lanes are full and the store takes
// nothing, hooktail reads no further, but the server hears of it: the connection
// lives, however long that lasts, and nothing is lost or sent twice.
func TestStatusWhileNothingIsRead(t *testing.T) {
	t.Parallel()
	// A server of its own: no slot can be made while its transaction is open.
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	release := make(chan struct{})
	r := &held{release: release, got: make(map[string]int)}
	point(t, db, r)
	setUpOnce(t, db)
	const timeout, blocked = 5 * time.Second, 30 * time.Second
	p := startTuned(t, relay.Tuning{BeatEvery: 500 * time.Millisecond, StreamTimeout: timeout}, []string{"run"},
		proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_MEMORY=16MiB", "HOOKTAIL_TIMEOUT=5m"))
	session := func() string {
		return db.QueryText(t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", db.Name)
	}
	before := session()

	conn := db.Connect(t)
	if _, err := conn.Exec(context.Background(), "BEGIN; LOCK TABLE hooktail.parked IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatalf("lock: %v", err)
	}
	const annotations = 200
	for range annotations {
		db.Exec(t, strings.Replace(annotate, "'[]'", "jsonb_build_array(repeat('x', 100000))", 1), 7)
	}
	p.unready(t, "not reading")
	begun := time.Now()
	proctest.WaitFor(t, func() error {
		if now := session(); now != before {
			t.Fatalf("server process %s reads the slot, after %s of %s:\n%s", now, time.Since(begun), before, p.err)
		}
		if since := time.Since(begun); since < blocked {
			return fmt.Errorf("blocked for %s", since)
		}
		return nil
	})
	p.unready(t, "not reading")
	if _, err := conn.Exec(context.Background(), "ROLLBACK"); err != nil {
		t.Fatalf("unlock: %v", err)
	}
	close(release)
	delivered(t, db)
	if n := p.metric(t, "hooktail_reconnects_total"); n != 0 {
		t.Errorf("hooktail_reconnects_total = %v", n)
	}
	if err := r.each(annotations); err != nil {
		t.Error(err)
	}
}
