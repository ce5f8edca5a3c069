//go:build external

package faults

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestWithDatabaseClockThatJumps sets the clock of the database an hour forward and
// back under load.
func TestWithDatabaseClockThatJumps(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(found) == 0 {
		t.Fatal("there is no libfaketime: apt-get install faketime")
	}
	c := newClock(t)
	server := cdctest.Private(t, throwaway.Options{Env: []string{
		// The clock as it is at each look, but not the one that timeouts are measured with,
		// nor the times of files.
		"LD_PRELOAD=" + found[0], "FAKETIME_TIMESTAMP_FILE=" + c.file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1",
	}})
	s := prepare(t, server.LabelStudio(t), "steady", "retried")
	s.jump(t, c, func() *proctest.Program { return proctest.Run(t, s.db, "HOOKTAIL_GRACE=1m") }, func(*proctest.Program) time.Time {
		seconds, err := strconv.ParseFloat(s.db.QueryText(t, "SELECT extract(epoch FROM clock_timestamp())"), 64)
		if err != nil {
			t.Fatalf("read the database's clock: %v", err)
		}
		return time.UnixMicro(int64(seconds * 1e6))
	})
}

// jump moves the clock forth and back while the program runs. Nothing is lost, sent
// twice for it or reordered; what is to be retried is, as soon as it would have been;
// the program is ready, and tells of no delay of an hour. A program that starts with
// the clock set back takes up what the one before has left. read is what the clock shows.
func (s *scene) jump(t *testing.T, c *movedClock, run func() *proctest.Program, read func(*proctest.Program) time.Time) {
	t.Helper()
	p := run()
	l := s.write(t, rate{every: 50 * time.Millisecond, bulk: 20})
	for _, ahead := range []time.Duration{time.Hour, 0, -time.Hour, 0} {
		s.answers(only("retried", http.StatusInternalServerError))
		s.arrives(t, "steady", 200)
		c.set(t, ahead)
		jumped := time.Now()
		s.arrives(t, "steady", 200)
		arrived := time.Since(jumped)
		if got := time.Until(read(p)); (got - ahead).Abs() > soonAfterJump {
			t.Fatalf("the clock is ahead by %s, want %s", got, ahead)
		}
		s.neverAhead(t)
		s.answers(nil)
		s.arrives(t, "retried", s.count("steady")-s.count("retried"))
		retried := time.Since(jumped)
		p.Ready(t)
		ready := time.Since(jumped)
		t.Logf("clock ahead by %s: 200 events more after %s, all retried after %s, ready after %s",
			ahead, arrived.Round(time.Millisecond), retried.Round(time.Millisecond), ready.Round(time.Millisecond))
		if ready > soonAfterJump {
			t.Errorf("clock ahead by %s: all was well after %s, want %s at most", ahead, ready, soonAfterJump)
		}
		s.neverAhead(t)
		latencies(t, p)
		if ahead < 0 {
			p.Stop()
			if code := p.Wait(t); code != 0 {
				t.Fatalf("exit code %d:\n%s", code, p.Stderr)
			}
			p = run()
		}
	}
	l.stop()
	s.check(t)
	s.neverAhead(t)
	if n := s.duplicates(); n > 0 {
		t.Errorf("%d requests repeated what had arrived", n)
	}
	stillRuns(t, p)
}

// soonAfterJump is far above what it takes, and far below the hour.
const soonAfterJump = 3 * time.Minute

// only is a receiver that answers one hook like that, and the others well.
func only(hook string, status int) func(string) int {
	return func(asked string) int {
		if asked == hook {
			return status
		}
		return http.StatusOK
	}
}

// latencies asserts that the program tells of no hour: but for what was on its way
// when the clock jumped, whose age nobody can know.
func latencies(t testing.TB, p *proctest.Program) {
	t.Helper()
	_, metrics := p.Get(t, "/metrics")
	number := func(series string) float64 {
		n, err := strconv.ParseFloat(value(metrics, series), 64)
		if err != nil {
			t.Fatalf("%s: %v", series, err)
		}
		return n
	}
	const histogram = "hooktail_commit_to_delivery_seconds"
	all, soon := number(histogram+`_count{hook="1"}`), number(histogram+`_bucket{hook="1",le="60"}`)
	t.Logf("%g of %g deliveries took more than a minute, by the metrics; %g reconnects", all-soon, all, number("hooktail_reconnects_total"))
	if all-soon > all/10 {
		t.Errorf("%g of %g deliveries took more than a minute, by the metrics", all-soon, all)
	}
	for _, gauge := range []string{"hooktail_stream_lag_seconds", "hooktail_heartbeat_seconds"} {
		if n := number(gauge); n < 0 || n > 60 {
			t.Errorf("%s = %g", gauge, n)
		}
	}
}

// movedClock is a file that says how many seconds a process is to see more than
// there are, in the form of libfaketime.
type movedClock struct{ file string }

func newClock(t testing.TB) *movedClock {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "hooktail-clock-") // where the server's user can read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &movedClock{file: filepath.Join(dir, "clock")}
	c.set(t, 0)
	return c
}

// set moves the clock, at once for all that look at it.
func (c *movedClock) set(t testing.TB, ahead time.Duration) {
	t.Helper()
	next := c.file + ".next"
	if err := os.WriteFile(next, fmt.Appendf(nil, "%+d\n", int(ahead.Seconds())), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, c.file); err != nil {
		t.Fatal(err)
	}
}
