package faults

import (
	"errors"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestGracefulStopSendsNoDuplicate ends the program with SIGTERM under load, more than
// once: it says that all went well, and the next run begins exactly where it has ended.
func TestGracefulStopSendsNoDuplicate(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) { stop(t, route, 2) })
}

// stop ends the programs of the route so many times.
func stop(t *testing.T, route proctest.Route, stops int) {
	t.Helper()
	s := prepareOn(t, route, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky")
	s.answers(sometimes("flaky", 10))
	p := s.run(t, "HOOKTAIL_TIMEOUT=30s", "HOOKTAIL_GRACE=1m") // a machine that is slow is not what is tested
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 50})
	for range stops {
		s.arrives(t, "steady", 100)
		p.signal(syscall.SIGTERM)
		p.end(t)
		s.neverAhead(t)
		p = s.run(t, "HOOKTAIL_TIMEOUT=30s", "HOOKTAIL_GRACE=1m")
	}
	l.stop()
	s.check(t)
	s.neverAhead(t)
	if n := s.duplicates(); n > 0 {
		t.Errorf("%d requests repeated what had arrived", n)
	}
}

// TestSecondSignalKills: a program that waits for a hanging hook ends at once
// when it is told a second time, and what hung comes after the next start.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) {
		s := prepareOn(t, route, cdctest.Postgres(t).LabelStudio(t), "hanging")
		arrived, hanging := make(chan struct{}, 1000), make(chan struct{})
		s.waits(func(string) {
			arrived <- struct{}{}
			<-hanging
		})
		p := s.run(t, "HOOKTAIL_GRACE=10m", "HOOKTAIL_TIMEOUT=10m")
		l := s.write(t, rate{every: 50 * time.Millisecond})
		select {
		case <-arrived:
		case <-time.After(proctest.Patience):
			t.Fatal("nothing has arrived")
		}
		l.stop()
		p.signal(syscall.SIGTERM)
		p.sender().Stderr.Find(t, "(stopping)", p.sender().Ended())
		proctest.WaitFor(t, func() error {
			p.signal(syscall.SIGTERM) // again: a signal right after the first may still count as the same one
			select {
			case <-p.sender().Ended():
				return nil
			default:
				return errors.New("the program goes on after a second signal")
			}
		})
		if code := p.sender().Wait(t); code == 0 {
			t.Error("exit code 0, want that of a killed process")
		}
		s.neverAhead(t)
		s.waits(nil)
		close(hanging)
		s.run(t)
		s.check(t)
	})
}

// TestSlotNeverAheadOfDelivery: at no moment of a busy life, with a hook that is
// dead and one that is slow, is anything confirmed that is neither delivered nor
// parked. The other tests of this package ask the same after each fault.
func TestSlotNeverAheadOfDelivery(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) { slotBehind(t, route, 5) })
}

// slotBehind compares slot and deliveries so many times.
func slotBehind(t *testing.T, route proctest.Route, looks int) {
	t.Helper()
	s := prepareOn(t, route, cdctest.Postgres(t).LabelStudio(t), "steady", "dead", "slow")
	s.waits(func(hook string) {
		if hook == "slow" {
			<-time.After(5 * time.Millisecond)
		}
	})
	s.answers(func(hook string) int {
		if hook == "dead" {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	p := s.run(t)
	l := s.write(t, rate{every: 40 * time.Millisecond, bulk: 10})
	for range looks {
		s.arrives(t, "steady", 10)
		s.neverAhead(t)
	}
	l.stop()
	s.check(t)
	p.stillRun(t)
}
