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

// TestGracefulStopSendsNoDuplicate ends the program with SIGTERM under load, again
// and again: it says that all went well, and the next run begins exactly where it
// has ended.
func TestGracefulStopSendsNoDuplicate(t *testing.T) {
	t.Parallel()
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "flaky")
	s.answers(sometimes("flaky", 10))
	p := proctest.Run(t, s.db, "HOOKTAIL_TIMEOUT=30s", "HOOKTAIL_GRACE=1m") // a machine that is slow is not what is tested
	l := s.write(t, rate{every: 20 * time.Millisecond, bulk: 50})
	for range 5 {
		s.arrives(t, "steady", 100)
		p.Signal(syscall.SIGTERM)
		if code := p.Wait(t); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.Stderr)
		}
		s.neverAhead(t)
		p = proctest.Run(t, s.db, "HOOKTAIL_TIMEOUT=30s", "HOOKTAIL_GRACE=1m")
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
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "hanging")
	arrived, hanging := make(chan struct{}, 1000), make(chan struct{})
	s.waits(func(string) {
		arrived <- struct{}{}
		<-hanging
	})
	p := proctest.Run(t, s.db, "HOOKTAIL_GRACE=10m", "HOOKTAIL_TIMEOUT=10m")
	l := s.write(t, rate{every: 50 * time.Millisecond})
	select {
	case <-arrived:
	case <-time.After(proctest.Patience):
		t.Fatal("nothing has arrived")
	}
	l.stop()
	p.Signal(syscall.SIGTERM)
	p.Stderr.Find(t, "(stopping)", p.Ended())
	proctest.WaitFor(t, func() error {
		p.Signal(syscall.SIGTERM) // again: a signal right after the first may still count as the same one
		select {
		case <-p.Ended():
			return nil
		default:
			return errors.New("the program goes on after a second signal")
		}
	})
	if code := p.Wait(t); code == 0 {
		t.Error("exit code 0, want that of a killed process")
	}
	s.neverAhead(t)
	s.waits(nil)
	close(hanging)
	proctest.Run(t, s.db)
	s.check(t)
}

// TestSlotNeverAheadOfDelivery: at no moment of a busy life, with a hook that is
// dead and one that is slow, is anything confirmed that is neither delivered nor
// parked. The other tests of this package ask the same after each fault.
func TestSlotNeverAheadOfDelivery(t *testing.T) {
	t.Parallel()
	s := prepare(t, cdctest.Postgres(t).LabelStudio(t), "steady", "dead", "slow")
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
	p := proctest.Run(t, s.db)
	l := s.write(t, rate{every: 40 * time.Millisecond, bulk: 10})
	for range 20 {
		s.arrives(t, "steady", 10)
		s.neverAhead(t)
	}
	l.stop()
	s.check(t)
	stillRuns(t, p)
}
