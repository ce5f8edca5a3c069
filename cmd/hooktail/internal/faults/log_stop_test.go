//go:build unix

package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestRollingStopLosesAndRepeatsNothing ends all readers and senders with SIGTERM under load,
// one after the other, and starts each again: nothing is lost and nothing is repeated.
func TestRollingStopLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, nil)
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky", "third", "fourth")
	s.answers(sometimes("flaky", 10))
	variables := []string{"HOOKTAIL_NATS_URL=" + server.URL(), "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_GRACE=1m"}
	proctest.SetUp(t, s.db, variables...)
	roles := []string{"reader", "reader", "sender", "sender"}
	programs := make([]*proctest.Program, len(roles))
	run := func(i int) {
		programs[i] = proctest.Start(t, proctest.RoleEnviron(s.db, append(variables, "HOOKTAIL_ROLE="+roles[i])...), "run")
	}
	for i := range roles {
		run(i)
	}
	l := s.write(t, rate{every: 20 * time.Millisecond})
	for i := range roles {
		s.arrives(t, "steady", 50)
		programs[i].Signal(syscall.SIGTERM)
		if code := programs[i].Wait(t); code != 0 {
			t.Fatalf("the %s ends with exit code %d:\n%s", roles[i], code, programs[i].Stderr)
		}
		run(i)
	}
	s.arrives(t, "steady", 50)
	l.stop()
	s.allArrive(t)
	s.check(t)
	if n := s.duplicates(); n > 0 {
		t.Errorf("%d requests repeated what had arrived", n)
	}
}
