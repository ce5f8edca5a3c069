package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCommitsNeverWaitForHooktail: with '*' among the synchronous standbys every WAL sender is
// one, also hooktail's: a commit would wait until its events are delivered, which wait until
// the commit can be seen. hooktail gives way, and goes on when that has been changed.
func TestCommitsNeverWaitForHooktail(t *testing.T) {
	t.Parallel()
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	const parameter = "synchronous_standby_names"
	t.Cleanup(func() { db.Configure(t, parameter, "") })
	db.Configure(t, parameter, "*")
	proctest.WaitFor(t, func() error {
		if senders := db.QueryText(t, "SELECT string_agg(sync_state, ' ') FROM pg_stat_replication"); senders != "" {
			return errors.New("hooktail still streams: " + senders)
		}
		return nil
	})
	db.Configure(t, parameter, "")
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := db.Connect(t).Exec(within, "UPDATE project SET title = 'Newsroom 7', updated_at = now() WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	delivered(t, db)
	if len(c.Requests()) == 0 {
		t.Error("nothing was delivered")
	}
}
