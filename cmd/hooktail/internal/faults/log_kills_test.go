//go:build long || soak

package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// soak is kills of readers, senders and NATS servers under load.
type soak struct {
	*scene
	nats      natstest.Processes
	roles     []string // of the programs
	variables []string
	programs  []*proctest.Program
	rng       *rand.Rand
	killed    []outage
}

// outage is a time in which deliveries may have been made that no bookmark has.
type outage struct{ from, to time.Time }

const (
	// bookmarkEvery is how often a sender writes its bookmarks: what it has delivered since
	// is delivered again after a kill.
	bookmarkEvery = 500 * time.Millisecond
	// bookmarkWithin is an allowance for writing them on a busy machine.
	bookmarkWithin = 2 * time.Second
	// election is for how long the bookmarks cannot be written after a kill of the server
	// that leads their stream.
	election = 15 * time.Second
)

// soakKills kills so many times, at random moments, one of two readers, three senders and three
// NATS servers, under a load of that pause of each user between transactions. Of the hooks, two
// are of each project, so that each event is for two. Every tenth answer is a failure. Nothing
// may be lost or out of order.
func soakKills(t *testing.T, kills, projects int, every time.Duration) *soak {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	s := &soak{
		rng: rand.New(rand.NewPCG(seed, 0)), nats: natstest.StartProcesses(t),
		roles: []string{"reader", "reader", "sender", "sender", "sender"},
	}
	s.scene = crowd(t, projects)
	s.answers(func(string) int {
		if rand.IntN(10) == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	s.variables = []string{"HOOKTAIL_NATS_URL=" + s.nats.URL(), "HOOKTAIL_NATS_SYNC=1s", "HOOKTAIL_NATS_REPLICAS=3", "HOOKTAIL_LOG_LEVEL=info"}
	proctest.SetUp(t, s.db, s.variables...)
	for i := range s.roles {
		s.programs = append(s.programs, nil)
		s.run(t, i)
	}
	began := time.Now()
	l := s.write(t, rate{every: every, ahead: 100_000})
	for n := range kills {
		s.more(t, 50)
		<-time.After(time.Duration(s.rng.Int64N(int64(2 * time.Second))))
		s.kill(t)
		if n%10 == 9 {
			t.Logf("%d kills after %s: %d events written, %d arrived, %d requests repeated", n+1, time.Since(began).Round(time.Second), l.written.Load(), l.arrived(), s.duplicates())
		}
	}
	l.stop()
	t.Logf("%d kills in %s, %.0f events/s", kills, time.Since(began).Round(time.Second), float64(l.written.Load())/time.Since(began).Seconds())
	s.everyHookHasAll(t)
	s.check(t)
	return s
}

// crowd is a scene with so many projects of each user, and two hooks for each project.
func crowd(t testing.TB, projects int) *scene {
	t.Helper()
	s := &scene{journal: newJournal(t), db: cdctest.Postgres(t).LabelStudio(t), projects: projects, only: make(map[string]int)}
	for i := range 2 * users * projects {
		name := fmt.Sprintf("hook-%d", i+1)
		s.hooks = append(s.hooks, name)
		s.only[name] = firstProject + i/2
	}
	s.make(t)
	return s
}

func (s *soak) run(t *testing.T, i int) {
	t.Helper()
	s.programs[i] = proctest.Start(t, proctest.RoleEnviron(s.db, append(s.variables, "HOOKTAIL_ROLE="+s.roles[i])...), "run")
}

// kill kills one of all processes, and starts it again.
func (s *soak) kill(t *testing.T) {
	t.Helper()
	now := time.Now()
	i := s.rng.IntN(len(s.programs) + len(s.nats))
	if i >= len(s.programs) {
		node := s.nats[i-len(s.programs)]
		node.Kill()
		node.Start()
		s.killed = append(s.killed, outage{now.Add(-bookmarkEvery - bookmarkWithin), now.Add(election)})
		return
	}
	s.programs[i].Kill()
	if s.roles[i] == "sender" {
		s.killed = append(s.killed, outage{now.Add(-bookmarkEvery - bookmarkWithin), time.Now()})
	}
	s.run(t, i)
}

// more waits until so many events more have arrived.
func (s *soak) more(t *testing.T, events int) {
	t.Helper()
	from := s.arrived()
	proctest.WaitFor(t, func() error {
		if n := s.arrived() - from; n < events {
			return fmt.Errorf("%d events more have arrived, not %d:\n%s", n, events, s.said())
		}
		return nil
	})
}

// said is the end of what the programs have logged.
func (s *soak) said() string {
	var all strings.Builder
	for i, p := range s.programs {
		text := p.Stderr.String()
		fmt.Fprintf(&all, "%s: %s\n", s.roles[i], text[max(0, len(text)-1<<10):])
	}
	return all.String()
}

// everyHookHasAll waits until each hook has got what was written for it.
func (s *soak) everyHookHasAll(t *testing.T) {
	t.Helper()
	written := s.written(t)
	proctest.WaitFor(t, func() error {
		for _, hook := range s.hooks {
			if n, all := s.count(hook), len(written[s.only[hook]]); n < all {
				return fmt.Errorf("hook %s has got %d of %d events:\n%s", hook, n, all, s.said())
			}
		}
		return nil
	})
}

// repeatsAreRecent asserts that what came again had been delivered within the time before a
// kill that the bookmarks leave open.
func (s *soak) repeatsAreRecent(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	repeats, stray := 0, 0
	for _, h := range s.journal.hooks {
		for _, before := range h.again {
			repeats++
			if !s.isOpen(before) {
				stray++
			}
		}
	}
	t.Logf("%d requests, %d repeated: %.1f for each kill", s.requests, repeats, float64(repeats)/float64(len(s.killed)))
	if stray > 0 {
		t.Errorf("%d of %d repeats had been delivered more than %s before any kill of a sender", stray, repeats, bookmarkEvery+bookmarkWithin)
	}
}

func (s *soak) isOpen(at time.Time) bool {
	for _, o := range s.killed {
		if at.After(o.from) && at.Before(o.to) {
			return true
		}
	}
	return false
}
