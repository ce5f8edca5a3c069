package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestKillsAroundTheLogLoseNothing kills programs that read, send, or both, and stops the server between
// them, again and again: whatever was committed arrives, under the same ids and in order.
func TestKillsAroundTheLogLoseNothing(t *testing.T) {
	t.Parallel()
	killAroundLog(t, 2)
}

// killAroundLog does that so many times.
func killAroundLog(t *testing.T, kills int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	server := natstest.Start(t, nil)
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky", "third")
	s.answers(sometimes("flaky", 20))
	variables := []string{"HOOKTAIL_NATS_URL=" + server.URL(), "HOOKTAIL_NATS_SYNC=1s"}
	proctest.SetUp(t, s.db, variables...)
	run := func(role string) *proctest.Program {
		return proctest.Start(t, proctest.RoleEnviron(s.db, append(variables, "HOOKTAIL_ROLE="+role)...), "run")
	}
	roles := []string{"both", "sender", "both"}
	var programs []*proctest.Program
	for _, role := range roles {
		programs = append(programs, run(role))
	}
	s.arrives(t, "steady", 0)
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 50})
	for range kills {
		s.arrives(t, "steady", 1)
		<-time.After(time.Duration(rng.Int64N(int64(700 * time.Millisecond))))
		i := rng.IntN(len(programs) + 1)
		if i == len(programs) {
			server.Stop()
			server.Start()
			continue
		}
		programs[i].Kill()
		programs[i] = run(roles[i])
	}
	l.stop()
	s.allArrive(t)
	s.check(t)
}

// allArrive waits until each hook has got what was written: that the slot is confirmed says
// only that it is in the log.
func (s *scene) allArrive(t testing.TB) {
	t.Helper()
	written := 0
	for _, rows := range s.written(t) {
		written += len(rows)
	}
	proctest.WaitFor(t, func() error {
		for _, hook := range s.hooks {
			if n := s.count(hook); n < written {
				return fmt.Errorf("hook %s has %d of %d events", hook, n, written)
			}
		}
		return nil
	})
}
