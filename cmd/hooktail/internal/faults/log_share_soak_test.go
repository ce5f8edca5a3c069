//go:build long && soak && unix

package faults

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestSoakOneOfFourSendersEnds kills one of four senders under load, or freezes it. The others go
// on as before, and have its hooks soon.
func TestSoakOneOfFourSendersEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		end    func(*testing.T, *proctest.Program)
		within time.Duration // that its hooks are back: 2 s, and 16 s, on a machine that is free
	}{
		{"kill -9", func(_ *testing.T, p *proctest.Program) { p.Kill() }, 10 * time.Second},
		{"SIGSTOP", freezes, 40 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) { endOneOfFour(t, tt.end, tt.within) })
	}
}

// window is for how long latencies are measured, before and after.
const window = 20 * time.Second

func endOneOfFour(t *testing.T, end func(*testing.T, *proctest.Program), within time.Duration) {
	t.Helper()
	s := &logged{scene: crowd(t, 8), nats: natstest.Start(t, nil)}
	s.variables = []string{"HOOKTAIL_NATS_URL=" + s.nats.URL(), "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_LOG_LEVEL=warn"}
	proctest.SetUp(t, s.db, s.variables...)
	s.start(t, "reader", "reader")
	programs := make(map[string]*proctest.Program)
	for _, name := range []string{"one", "two", "three", "four"} {
		programs[name] = s.start(t, name, "sender")
	}
	for name := range programs {
		proctest.WaitFor(t, func() error {
			if n := len(s.partitionsOf(t, name)); n != 16 {
				return fmt.Errorf("sender %s has %d partitions", name, n)
			}
			return nil
		})
	}
	l := s.write(t, rate{every: 40 * time.Millisecond})
	s.arrivesAt(t, s.hooks)
	began := time.Now()
	<-time.After(window)
	own := s.partitionsOf(t, "one")
	ended := time.Now()
	end(t, programs["one"])
	<-time.After(max(window, within))
	l.stop()
	var before, others, its []time.Duration
	for i, hook := range s.hooks {
		for _, a := range s.arrivals(hook) {
			switch isIts := slices.Contains(own, (i+1)%64); {
			case a.took == 0 || a.at.Before(began):
			case a.at.Before(ended):
				before = append(before, a.took)
			case isIts:
				its = append(its, a.took)
			default:
				others = append(others, a.took)
			}
		}
	}
	back := slices.Max(its)
	t.Logf("p99 of the other hooks %s, of all before %s; the longest of its own hooks %s, of the others %s", p99(others), p99(before), back, slices.Max(others))
	if back > within {
		t.Errorf("the hooks of the sender that has ended wait for %s", back)
	}
	if limit := 2*p99(before) + 100*time.Millisecond; p99(others) > limit {
		t.Errorf("the other hooks have p99 %s, before %s", p99(others), p99(before))
	}
}

func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100].Round(10 * time.Microsecond)
}

// partitionsOf are those that the user's sessions have locked.
func (s *logged) partitionsOf(t *testing.T, user string) (partitions []int) {
	t.Helper()
	text := s.db.QueryText(t, `SELECT coalesce(string_agg(objid::text, ' '), '') FROM pg_locks JOIN pg_stat_activity a USING (pid)
		WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND objid < 64 AND usename = $1`, s.db.Name+"_"+user)
	for number := range strings.FieldsSeq(text) {
		n, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		partitions = append(partitions, n)
	}
	return partitions
}

// arrivesAt waits until something has arrived at each of the hooks.
func (s *scene) arrivesAt(t *testing.T, hooks []string) {
	t.Helper()
	for _, hook := range hooks {
		s.arrives(t, hook, max(0, 1-s.count(hook)))
	}
}

// TestNATSAway: while NATS is away, the program says so, keeps within its memory and does not
// confirm anything; then it catches up.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	natsAway(t, 30*time.Second)
}
