package cdc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// pauses is a log that keeps the longest pause between two connections, and how often one
// is said to work again.
type pauses struct {
	slog.Handler
	longest, restored atomic.Int64
}

func (p *pauses) Enabled(context.Context, slog.Level) bool { return true }

func (p *pauses) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "replication connection restored" {
		p.restored.Add(1)
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "retry_in" {
			p.longest.Store(max(p.longest.Load(), int64(a.Value.Duration())))
		}
		return true
	})
	return nil
}

// TestServerThatFailsEachTimeIsGivenTime: one that starts to stream and then fails, as at
// a row that it cannot decode or without room for a large transaction, has to begin anew
// each time. It is asked ever more rarely, as one that does not start at all is, is not
// said to work, and is asked at once again after it has worked.
func TestServerThatFailsEachTimeIsGivenTime(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	db.Exec(t, "CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE a ADD COLUMN mood mood")
	o := optionsOf(t, db, plan)
	log := &pauses{}
	o.RetryMax, o.Log = 3*time.Second, slog.New(log)
	s := start(t, o)
	db.Exec(t, "INSERT INTO a VALUES (1, '', 'bad')")
	s.collect(t, 1)
	s.Reconnect(errors.New("after something was read"))
	await(t, func() string {
		if n := s.Stats().Connections; n < 2 {
			return fmt.Sprintf("%d connections", n)
		}
		return ""
	})
	if pause := time.Duration(log.longest.Load()); pause > firstRetry {
		t.Errorf("pause of %s after a connection that worked, want %s at most", pause, firstRetry)
	}
	await(t, func() string {
		if log.restored.Load() == 0 {
			return "the second connection is not said to work"
		}
		return ""
	})
	db.Exec(t, "DELETE FROM pg_enum WHERE enumlabel = 'bad'") // the server cannot show the value any more
	db.Exec(t, "UPDATE a SET v = 'x' WHERE id = 1")
	await(t, func() string {
		if pause := time.Duration(log.longest.Load()); pause < o.RetryMax/2 {
			return fmt.Sprintf("longest pause %s after %d connections: %v", pause, s.Stats().Connections, s.Stats().Fault)
		}
		return ""
	})
	if n := log.restored.Load(); n != 1 {
		t.Errorf("the connection is said to work again %d times, want once", n)
	}
}
