//go:build long

package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestRefusedServerIsNotSilent: heartbeats do not come back while hooktail itself refuses to
// stream from the server. That is not a dead stream: the program waits until the fault is fixed.
func TestRefusedServerIsNotSilent(t *testing.T) {
	t.Parallel()
	db := cdctest.Private(t, throwaway.Options{Major: "18"}).LabelStudio(t)
	receive(t, db)
	setUpOnce(t, db)
	const timeout, refused = time.Second, 5 * time.Second
	p := startTuned(t, relay.Tuning{BeatEvery: 50 * time.Millisecond, StreamTimeout: timeout}, []string{"run"}, proctest.RoleEnviron(db))
	db.Exec(t, "ALTER PUBLICATION hooktail SET (publish_generated_columns = none)")
	db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
	p.unready(t, "lacks generated columns")
	begun := time.Now()
	proctest.WaitFor(t, func() error {
		select {
		case <-p.ended:
			t.Fatalf("the program has ended:\n%s", p.err)
		default:
		}
		if since := time.Since(begun); since < refused {
			return fmt.Errorf("refused for %s", since)
		}
		return nil
	})
	p.unready(t, "lacks generated columns")
}
