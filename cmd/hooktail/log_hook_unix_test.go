//go:build unix

package main

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestSenderKnowsAHookBeforeItsEvents: a server's process is frozen when it has committed a new
// hook and nobody sees it yet. An event for the hook is not dropped as one of a hook that was deleted.
func TestSenderKnowsAHookBeforeItsEvents(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db := server.LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL="+natstest.Start(t, nil).URL())
	conn, release := withoutStandby(t, db)
	committed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), newHook)
		committed <- err
	}()
	backend := int(conn.PgConn().PID())
	proctest.WaitFor(t, func() error {
		if db.QueryText(t, "SELECT wait_event FROM pg_stat_activity WHERE pid = $1", backend) != "SyncRep" {
			return errors.New("the hook is not committed")
		}
		return nil
	})
	freeze := func(signal syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(backend, signal); err != nil {
			t.Fatal(err)
		}
	}
	freeze(syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(backend, syscall.SIGCONT) }) // it may have ended
	release()
	db.Exec(t, annotate, 8)
	proctest.WaitFor(t, func() error {
		if len(c.Requests()) == 0 && db.QueryText(t, asksForSnapshot) == "0" {
			return errors.New("the event has come neither to a hook nor as far as the rendering")
		}
		return nil
	})
	freeze(syscall.SIGCONT)
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	proctest.WaitFor(t, func() error {
		for _, r := range c.Requests() {
			if r.Hook == 77 && idOf(t, r.Body, "task") == "8" {
				return nil
			}
		}
		return errors.New("the new hook has not got its event")
	})
}
