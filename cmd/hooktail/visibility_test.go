package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// asksForSnapshot counts hooktail's sessions whose last query was what they see.
const asksForSnapshot = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hooktail' AND query LIKE '%pg_current_snapshot%'"

// TestNothingIsSentBeforeItCanBeRead: a commit that waits for a synchronous
// standby is in the stream already, but nobody can read its rows yet. It is told
// when they can, with what they are then.
func TestNothingIsSentBeforeItCanBeRead(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db := server.LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	conn, release := withoutStandby(t, db)
	committed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.Background(), "UPDATE project SET title = 'Newsroom 7', updated_at = now() WHERE id = 1")
		committed <- err
	}()
	proctest.WaitFor(t, func() error {
		if len(c.Requests()) == 0 && db.QueryText(t, asksForSnapshot) == "0" {
			return errors.New("the commit has not come as far as the rendering")
		}
		return nil
	})
	if title := db.QueryText(t, "SELECT title FROM project WHERE id = 1"); title != "Newsroom" {
		t.Fatalf("title = %q: the commit can be read already", title)
	}
	if got := c.Requests(); len(got) > 0 {
		t.Errorf("%d requests tell of a commit that cannot be read, the first is %s", len(got), got[0].Action)
	}
	release()
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	delivered(t, db)
	for _, r := range c.Take() {
		if r.Hook == 1 && !strings.Contains(string(r.Body), `"title": "Newsroom 7"`) {
			t.Errorf("the payload shows the project as before the commit: %s", r.Body)
		}
	}
}

// withoutStandby returns a connection whose commits wait for a standby that is missing, until
// release: they are in the stream, and nobody sees them.
func withoutStandby(t *testing.T, db *cdctest.Database) (conn *pgx.Conn, release func()) {
	t.Helper()
	const parameter = "synchronous_standby_names"
	release = func() { db.Configure(t, parameter, "") }
	t.Cleanup(release) // or nothing would ever be committed again
	db.Configure(t, parameter, "nobody")
	proctest.WaitFor(t, func() error { // the checkpointer reads the configuration for all
		probe := db.Connect(t)
		defer probe.Close(context.Background())
		within, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := probe.Exec(within, "SELECT pg_logical_emit_message(true, 'probe', '')"); err == nil {
			return errors.New("commits do not wait yet")
		}
		return nil
	})
	conn = db.Connect(t)
	return conn, release
}
