//go:build long

package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// TestCrashOfPostgresRepeatsNothingOld: after a crash, the server remembers the slot's position as of its
// last checkpoint. What the program had noted as done is not sent again, whether it has lived through
// the crash or not.
func TestCrashOfPostgresRepeatsNothingOld(t *testing.T) {
	t.Parallel()
	for _, survives := range []bool{true, false} {
		t.Run(fmt.Sprintf("survives=%t", survives), func(t *testing.T) {
			t.Parallel()
			server := cdctest.Private(t, throwaway.Options{Durable: true})
			s := prepare(t, server.LabelStudio(t), "steady")
			p := s.run(t)
			l := s.write(t, rate{every: time.Millisecond})
			s.arrives(t, "steady", 200)
			l.stop()
			s.allArrive(t)
			end := s.db.QueryText(t, "SELECT pg_current_wal_lsn()::text")
			proctest.WaitFor(t, func() error { // the position is written every ten seconds
				if noted := s.db.QueryText(t, "SELECT end_lsn >= $1::pg_lsn FROM hooktail.position", end); noted != "t" {
					return errors.New("the position is not noted")
				}
				return nil
			})
			if !survives {
				p.signal(os.Kill)
				for _, program := range p {
					<-program.Ended()
				}
			}
			server.Restart(t, throwaway.Crash)
			if behind := s.db.QueryText(t, "SELECT confirmed_flush_lsn < $1::pg_lsn FROM pg_replication_slots WHERE slot_name = $2", end, s.db.Name); behind != "t" && !survives {
				t.Fatal("the server remembers the slot's position: this test shows nothing")
			}
			if !survives {
				s.run(t)
			}
			proctest.WaitFor(t, func() error {
				if confirmed := s.db.QueryText(t, "SELECT confirmed_flush_lsn >= $1::pg_lsn FROM pg_replication_slots WHERE slot_name = $2", end, s.db.Name); confirmed != "t" {
					return errors.New("the slot is behind")
				}
				return nil
			})
			s.check(t)
			if n := s.duplicates(); n > 0 {
				t.Errorf("%d events were sent again", n)
			}
		})
	}
}
