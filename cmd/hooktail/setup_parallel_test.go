package main

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestSetupsAtOnce: of several setups of one database, each finds in the end what another one
// has made.
func TestSetupsAtOnce(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if code, stdout, stderr := command(proctest.Environ(db), "setup"); code != exitDone || !strings.Contains(stdout, "-- slot "+db.Name+" is ") || strings.Contains(stdout, " 0/0") {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
		})
	}
	wg.Wait()
}

// TestSetupBesideOneThatWaits: a slot that another setup is making, and that waits for open
// transactions, has no position yet.
func TestSetupBesideOneThatWaits(t *testing.T) {
	t.Parallel()
	db, open := withOpenTransaction(t)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if code, stdout, stderr := command(proctest.Environ(db), "setup"); code != exitDone || !strings.Contains(stdout, "-- slot "+db.Name+" is at ") {
			t.Errorf("exit code %d: %s%s", code, stdout, stderr)
		}
	})
	proctest.WaitFor(t, func() error {
		if n := db.QueryText(t, "SELECT count(*) FROM pg_replication_slots WHERE confirmed_flush_lsn IS NULL"); n != "1" {
			return errors.New("slots that are being created: " + n)
		}
		return nil
	})
	code, stdout, stderr := command(proctest.Environ(db), "setup")
	if code != exitDone || stderr != "" || !strings.HasSuffix(stdout, "-- slot "+db.Name+" is being created by another setup\n") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if err := open.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestInterruptedSetUpLeavesNoSlot: whoever does not want to wait for open transactions any
// longer has no slot made behind them, which would retain WAL for nobody.
func TestInterruptedSetUpLeavesNoSlot(t *testing.T) {
	t.Parallel()
	db, _ := withOpenTransaction(t)
	slots := func(want string) {
		t.Helper()
		proctest.WaitFor(t, func() error {
			if n := db.QueryText(t, "SELECT count(*) FROM pg_replication_slots"); n != want {
				return errors.New("there are " + n + " slots, not " + want)
			}
			return nil
		})
	}
	for _, line := range []string{"setup", "run --setup"} {
		p := proctest.Start(t, proctest.Environ(db), strings.Fields(line)...)
		slots("1") // it is being created
		p.Stop()
		p.Wait(t)
		if said := p.Stderr.String(); strings.Contains(said, "57014") {
			t.Errorf("%s does not know that it was interrupted: %s", line, said)
		}
		slots("0")
	}
}

// withOpenTransaction returns a database on a server of its own, and a transaction that a new slot
// must wait for.
func withOpenTransaction(t *testing.T) (*cdctest.Database, pgx.Tx) {
	t.Helper()
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	open, err := db.Connect(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open.Exec(t.Context(), "SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	return db, open
}
