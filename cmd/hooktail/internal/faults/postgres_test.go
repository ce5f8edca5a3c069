package faults

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestPostgresKillAndRestart restarts the server under load in each of its ways
// to end: the program lives through them and goes on.
func TestPostgresKillAndRestart(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		server := cdctest.Private(t, throwaway.Options{Durable: true})
		s := prepareOn(t, route, server.LabelStudio(t), "steady", "flaky")
		s.answers(sometimes("flaky", 10))
		p := s.run(t)
		l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 200})
		for _, mode := range []throwaway.Mode{throwaway.Fast, throwaway.Immediate, throwaway.Crash, throwaway.Fast, throwaway.Crash} {
			s.arrives(t, "steady", 100)
			server.Restart(t, mode)
			s.neverAhead(t)
			s.arrives(t, "steady", 100)
			s.neverAhead(t)
		}
		l.stop()
		s.check(t)
		s.neverAhead(t)
		p.stillRun(t)
	})
}

// stillRuns asserts that the program has not ended.
func stillRuns(t testing.TB, p *proctest.Program) {
	t.Helper()
	select {
	case <-p.Ended():
		t.Errorf("the program has ended with exit code %d:\n%s", p.Wait(t), p.Stderr)
	default:
	}
}
