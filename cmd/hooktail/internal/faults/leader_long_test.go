//go:build long && unix

package faults

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTwoInstancesTakeTurns is TestTwoInstances with ten takeovers.
func TestTwoInstancesTakeTurns(t *testing.T) {
	t.Parallel()
	takeOver(t, 5)
}

// TestLeaderLosesItsLock: a leader whose lock is gone stops at once, although its
// replication connection lives; whoever gets the lock next goes on, and the old
// leader neither ends nor sends beside it.
func TestLeaderLosesItsLock(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	goroutines := p.goroutines(t)
	stop := p.writer(t, 5*time.Millisecond)
	p.receiver.first(t, "A", 0)
	const rounds = 12
	led := make(map[string]int)
	for round := range rounds {
		p.endLockSession(t)
		proctest.WaitFor(t, func() error {
			if deposed := p.said("Lost leadership"); deposed != round+1 {
				return fmt.Errorf("a leader has given up %d times, want %d", deposed, round+1)
			}
			return nil
		})
		n := p.receiver.count()
		led[p.receiver.wait(t, "an event of the next term", func(all []*arrival) *arrival {
			if len(all) == n {
				return nil
			}
			return all[n]
		}).instance]++
	}
	t.Logf("terms after a lock was lost: %v", led)
	for instance, program := range p.instances {
		if status, body := program.Get(t, "/livez"); status != http.StatusOK {
			t.Errorf("%s has ended: %s\n%s", instance, body, program.Stderr)
		}
	}
	p.receiver.check(t, p.finish(t, stop))
	proctest.WaitFor(t, func() error { // those of idle connections to the receiver end after 30 seconds
		if n := p.goroutines(t); n > goroutines {
			return fmt.Errorf("%d goroutines after %d terms, %d before", n, rounds, goroutines)
		}
		return nil
	})
}

// TestLeaderWithFullLanesLosesItsLock: so does one whose lanes are full and whose
// store takes nothing, at whatever its goroutines wait.
func TestLeaderWithFullLanesLosesItsLock(t *testing.T) {
	t.Parallel()
	p := startPair(t, "HOOKTAIL_MEMORY=16MiB")
	p.receiver.hold()
	conn := p.db.Connect(t)
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE hooktail.parked IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatalf("lock: %v", err)
	}
	committed := make(map[int64][]int64)
	commit(t, p.db, strings.Replace(annotate, "'[]'", "jsonb_build_array(repeat('x', 100000))", 1), 150, committed)
	proctest.WaitFor(t, func() error {
		const full = "hooktail_in_flight_bytes 1." // to 2 MiB, an eighth of the memory
		_, body := p.instances["A"].Get(t, "/metrics")
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, full) && strings.HasSuffix(line, "e+06\n") {
				return nil
			}
		}
		return errors.New("the queue is not full")
	})
	p.endLockSession(t)
	p.instances["A"].Stderr.Find(t, "(Lost leadership)", p.instances["A"].Ended())
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatalf("unlock: %v", err)
	}
	p.receiver.answer()
	p.receiver.check(t, p.finish(t, func() map[int64][]int64 { return committed }))
}

// TestFrozenLeader: a leader that is frozen, and has not been heard of for as long as
// its sessions last, is replaced; when it wakes it sends nothing more, although the
// answers that it had waited for are there, and stands by.
func TestFrozenLeader(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	stop := p.writer(t, 100*time.Millisecond)
	p.receiver.first(t, "A", 0)
	n := p.receiver.count()
	p.receiver.hold()
	p.receiver.wait(t, "as many requests as may be in flight", func(all []*arrival) *arrival {
		if len(all) < n+tasksOfPair {
			return nil
		}
		return all[n]
	})
	frozen := p.instances["A"]
	frozen.Signal(syscall.SIGSTOP)
	began := time.Now()
	n = p.receiver.count()
	p.receiver.answer()
	took := p.receiver.first(t, "B", n).at.Sub(began)
	t.Logf("the first event of the new leader arrived after %s", took.Round(time.Millisecond))

	n = p.receiver.count()
	frozen.Signal(syscall.SIGCONT)
	frozen.StandsBy(t)
	p.receiver.first(t, "B", n)
	for _, a := range p.receiver.all()[n:] {
		if a.instance == "A" {
			t.Errorf("annotation %d came from the leader that had been frozen", a.annotation)
		}
	}
	p.receiver.check(t, p.finish(t, stop))
}

// goroutines is how many the two instances have.
func (p *pair) goroutines(t *testing.T) int {
	t.Helper()
	all := 0
	for instance, program := range p.instances {
		_, body := program.Get(t, "/metrics")
		_, rest, _ := strings.Cut(body, "\ngo_goroutines ")
		text, _, _ := strings.Cut(rest, "\n")
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("goroutines of %s: %v", instance, err)
		}
		all += n
	}
	return all
}

// said is how often the instances have logged that.
func (p *pair) said(what string) int {
	n := 0
	for _, program := range p.instances {
		n += strings.Count(program.Stderr.String(), what)
	}
	return n
}

// endLockSession has the server end the session of the leader's lock.
func (p *pair) endLockSession(t *testing.T) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		switch n := p.db.QueryText(t, `SELECT count(pg_terminate_backend(l.pid)) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
			WHERE l.locktype = 'advisory' AND l.granted AND d.datname = current_database()`); n {
		case "1":
			return nil
		case "0": // the next leader is about to take it
			return errors.New("no session has the lock")
		default:
			t.Fatalf("%s sessions have the lock", n)
			return nil
		}
	})
}
