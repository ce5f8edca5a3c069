package faults

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestPostgresKillAndRestart restarts the server under load, in order and after kill -9:
// the program lives through them and goes on.
func TestPostgresKillAndRestart(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) { restart(t, route, throwaway.Fast, throwaway.Crash) })
}

// restart restarts the server in these ways, one after the other.
func restart(t *testing.T, route proctest.Route, modes ...throwaway.Mode) {
	t.Helper()
	server := cdctest.Private(t, throwaway.Options{Durable: true})
	s := prepareOn(t, route, server.LabelStudio(t), "steady", "flaky")
	s.answers(sometimes("flaky", 10))
	p := s.run(t)
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 200})
	for _, mode := range modes {
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
