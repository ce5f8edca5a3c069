package faults

import (
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestKillMinus9LosesNothing kills the program again and again, at random moments
// of its life: whatever it had not confirmed comes again, under the same ids and
// in order. One hook fails now and then; another is down half of the time, so that what
// the stream brings again meets what is parked.
func TestKillMinus9LosesNothing(t *testing.T) {
	t.Parallel()
	kill(t, 5)
}

// kill ends the program so many times.
func kill(t *testing.T, kills int) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky", "down")
	var down atomic.Bool
	flaky := sometimes("flaky", 20)
	s.answers(func(hook string) int {
		if hook == "down" && down.Load() {
			return http.StatusServiceUnavailable
		}
		return flaky(hook)
	})
	proctest.Run(t, s.db).Kill() // what is written from now on is for the slot
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 50})
	for i := range kills {
		down.Store(i/4%2 == 0)
		p := proctest.Start(t, proctest.RoleEnviron(s.db), "run")
		if i%2 == 0 { // otherwise it may be killed while it starts
			s.arrives(t, "steady", 1)
		}
		<-time.After(time.Duration(rng.Int64N(int64(500 * time.Millisecond))))
		p.Kill()
		s.neverAhead(t)
	}
	l.stop()
	proctest.Run(t, s.db)
	s.check(t)
	s.neverAhead(t)
}
