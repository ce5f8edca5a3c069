//go:build long && soak

package natslog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestSoakPowerLossOfThreeServers is TestPowerLossLosesNothing with three servers, all
// of which lose their power at once. Each has synced at another time, and the slot was
// confirmed as far as the Holdback let it.
func TestSoakPowerLossOfThreeServers(t *testing.T) {
	t.Parallel()
	for _, alive := range []bool{true, false} {
		t.Run(fmt.Sprintf("reader alive %t", alive), func(t *testing.T) {
			t.Parallel()
			if lost := powerLossOfThree(t, 5*time.Second, alive); lost != 0 {
				t.Errorf("%d of 30 events are lost", lost)
			}
		})
	}
	t.Run("mutation", func(t *testing.T) {
		t.Parallel()
		if lost := powerLossOfThree(t, 0, false); lost < 12 {
			t.Errorf("confirmed at once, %d of the 12 events that no server had synced are lost", lost)
		}
	})
}

// powerLossOfThree writes ten events, which all servers sync, and twenty more, of which the
// servers have synced 0, 4 and 8, cuts the power, and returns how many events the log does not
// have in the end.
func powerLossOfThree(t *testing.T, interval time.Duration, alive bool) (lost int) {
	servers := natstest.StartCluster(t)
	l := openAt(t, servers.URL(), len(servers))
	r := newReader(t, l)
	hold := natslog.NewHoldback(r.Writer, interval, slog.New(slog.DiscardHandler))
	go hold.Run(t.Context()) //nolint:errcheck // the loss of power ends it, or the test
	position := func(n int) cdc.LSN { return lsn(n*0x100 + 1) }
	r.write(t, 1, 10)
	wait(t, func() error {
		if confirmed := hold.Hold(position(10)); confirmed < position(10) {
			return fmt.Errorf("%s is confirmed after two intervals", confirmed)
		}
		return nil
	})
	began := time.Now()
	var synced []string
	for i, s := range servers {
		synced = append(synced, s.Copy())
		r.write(t, 11+4*i, 14+4*i)
	}
	r.write(t, 23, 30)
	confirmed := hold.Hold(position(30)) // of the slot, at the loss of power
	if took := time.Since(began); interval > 0 && took > 2*interval {
		t.Fatalf("the machine is too slow for this test: the servers would have synced within %s", took)
	}

	servers.Stop()
	servers.CutBack(synced)
	servers.Start()
	if alive {
		if err := retried(t, func() error { return r.Enqueue(t.Context(), to1(event(0x3000))) }); !errors.Is(err, natslog.ErrFenced) {
			t.Errorf("the reader that is alive goes on: %v", err)
		}
	}
	var next *reader
	wait(t, func() (err error) { // while the servers agree on the end of the log
		next, err = tryReader(t.Context(), l)
		return err
	})
	next.passed(confirmed)
	for n := 1; n <= 30; n++ {
		if lsn(n*0x100) >= confirmed {
			next.write(t, n, n)
		}
	}
	return 30 - len(events(t, l))
}
