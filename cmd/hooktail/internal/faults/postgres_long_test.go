//go:build long

package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestManyRestartsOfPostgres is TestPostgresKillAndRestart with each of the server's ways to
// end, again and again.
func TestManyRestartsOfPostgres(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		restart(t, route, throwaway.Fast, throwaway.Immediate, throwaway.Crash, throwaway.Fast, throwaway.Crash)
	})
}

// TestTerminatedBackends ends the server processes of the program again and
// again: first the one that it reads the slot from, then all of them at once.
func TestTerminatedBackends(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		s := prepareOn(t, route, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky")
		s.answers(sometimes("flaky", 10))
		p := s.run(t)
		l := s.write(t, rate{every: 40 * time.Millisecond, bulk: 100})
		conn := s.db.Connect(t)
		for i := range 8 {
			of := "backend_type = 'walsender'"
			if i%2 == 1 {
				of = "application_name = 'hooktail'"
			}
			s.arrives(t, "steady", 50)
			proctest.WaitFor(t, func() error {
				tag, err := conn.Exec(context.Background(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND "+of, s.db.Name)
				if err == nil && tag.RowsAffected() == 0 {
					return fmt.Errorf("no process with %s", of)
				}
				return err
			})
			s.neverAhead(t)
		}
		l.stop()
		s.check(t)
		s.neverAhead(t)
		p.stillRun(t)
	})
}
