//go:build long

package cdc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// pair is a primary and a standby, and a stream's way to the one that is current.
type pair struct {
	primary       *cdctest.Server
	before, after *cdctest.Database
	plan          Plan
	options       Options
	socket        atomic.Pointer[string]
	standbySocket string
}

func newPair(t *testing.T) *pair {
	t.Helper()
	primary := cdctest.Private(t, throwaway.Options{Major: "18"})
	db := primary.Database(t)
	standby := primary.Standby(t)
	p := &pair{primary: primary, before: db, after: db.On(standby), standbySocket: standby.Socket()}
	// As without that setting: the stream gets what the standby does not have yet.
	db.Exec(t, "ALTER SYSTEM RESET synchronized_standby_slots")
	db.Exec(t, "SELECT pg_reload_conf()")
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	db.Exec(t, "CREATE TABLE filler (v text)") // which is not published
	p.plan = planOf(db, "a")
	p.plan.Failover = true
	if _, err := Setup(t.Context(), db.Connect(t), p.plan, nil); err != nil {
		t.Fatalf("set up: %v", err)
	}
	p.options = optionsOf(t, db, p.plan)
	socket := primary.Socket()
	p.socket.Store(&socket)
	p.options.Config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", *p.socket.Load())
	}
	return p
}

// synchronize waits until the standby has all that is committed, and the slot.
func (p *pair) synchronize(t *testing.T) {
	t.Helper()
	end := p.before.QueryText(t, "SELECT pg_current_wal_lsn()")
	await(t, func() string {
		p.before.Exec(t, "SELECT pg_log_standby_snapshot()") // what the slot at the standby waits for
		if p.after.QueryText(t, "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", end) != "t" {
			return "the standby has not replayed " + end
		}
		if p.after.QueryText(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND synced AND NOT temporary", p.plan.Slot) != "1" {
			return "the standby does not have the slot"
		}
		return ""
	})
}

// detach keeps from the standby what is written from now on.
func (p *pair) detach(t *testing.T) {
	t.Helper()
	p.before.Exec(t, `DO $$ BEGIN EXECUTE format('COPY (SELECT ''local all all trust'') TO %L', current_setting('hba_file')); END $$`) // all but physical replication
	p.before.Exec(t, "SELECT pg_reload_conf()")
	await(t, func() string {
		if p.before.QueryText(t, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication WHERE application_name = 'standby'") != "0" {
			return "the standby is still attached"
		}
		return ""
	})
}

// promote kills the primary and promotes the standby, without a word to the stream.
func (p *pair) promote(t *testing.T) {
	t.Helper()
	if err := p.primary.Stop(throwaway.Crash); err != nil {
		t.Fatalf("kill the primary: %v", err)
	}
	if done := p.after.QueryText(t, "SELECT pg_promote()"); done != "t" {
		t.Fatalf("pg_promote() = %q", done)
	}
	p.socket.Store(&p.standbySocket)
}

// write writes so much WAL that what is committed before it, and what is committed on
// another server in place of it, have LSNs that are far apart.
func (p *pair) write(t *testing.T, db *cdctest.Database) {
	t.Helper()
	db.Exec(t, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 100)")
}

// TestLossyFailover: a standby that lacks the end of the log is promoted under a
// stream that runs. Whatever is committed there arrives, also what has an LSN that the
// stream has seen before. What was delivered and is lost is a gap; what was only
// handed over is not.
func TestLossyFailover(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		lost      bool // a transaction is
		delivered bool // it was
	}{
		{"nothing but WAL of others is lost", false, false},
		{"a transaction that was handed over is lost", true, false},
		{"a transaction that was delivered is lost", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			s := start(t, p.options)
			p.before.Exec(t, "INSERT INTO a VALUES (1, '')")
			s.collect(t, 1)
			p.synchronize(t)
			p.detach(t)
			p.write(t, p.before)
			if test.lost {
				p.before.Exec(t, "INSERT INTO a VALUES (2, 'lost')")
				if test.delivered {
					s.collect(t, 1)
				} else if _, err := s.Next(t.Context()); err != nil { // and not finished
					t.Fatal(err)
				}
			}
			end := p.before.QueryText(t, "SELECT pg_current_wal_lsn()")
			if !test.lost || test.delivered {
				await(t, func() string {
					if told := s.Stats().Recorded.String(); p.before.QueryText(t, "SELECT $1::pg_lsn >= $2::pg_lsn", told, end) != "t" {
						return "confirmed is " + told + ", not " + end
					}
					return ""
				})
			}
			p.promote(t)
			p.after.Exec(t, "INSERT INTO a VALUES (3, 'new')")
			if p.after.QueryText(t, "SELECT pg_current_wal_lsn() < $1::pg_lsn", end) != "t" {
				t.Fatal("the new commit is beyond what was read: the test shows nothing")
			}

			err := s.fault(t)
			seen := s.Memory()
			if test.delivered {
				gap, ok := errors.AsType[*Gap](err)
				if !ok || gap.From == 0 || gap.To <= gap.From || gap.Since.IsZero() {
					t.Fatalf("error %v (%+v), want a gap from where the timeline was left to what was delivered", err, gap)
				}
				return
			}
			if _, ok := errors.AsType[*Diverged](err); !ok {
				t.Fatalf("error %v, want that the server has diverged", err)
			}
			p.options.Memory = func(context.Context) (*Memory, error) { // as the next term has it, and the database
				return &Memory{SystemID: seen.SystemID, Timeline: 1, End: 1, Written: time.Now(), Publication: seen.Publication, Own: seen}, nil
			}
			next := start(t, p.options)
			var got []string
			for !slices.Contains(got, "insert a 3") {
				got = append(got, next.collect(t, 1)...)
			}
			if slices.Contains(got, "insert a 2") {
				t.Errorf("the new server's changes are %v", got)
			}
		})
	}
}

// TestSlotMadeAtTheNewPrimary: what manages the servers makes the slot at the promoted
// standby, where the standby's WAL ends by then. What was committed there before is missing,
// although neither the time nor the statistics prove it.
func TestSlotMadeAtTheNewPrimary(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	s := start(t, p.options)
	p.before.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	p.synchronize(t)
	seen := s.Memory()
	_ = s.stop()
	p.promote(t)
	p.after.Exec(t, "SELECT pg_drop_replication_slot($1)", p.plan.Slot)
	p.after.Exec(t, "INSERT INTO a VALUES (2, 'missing')")
	p.after.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", p.plan.Slot)

	p.options.Memory = func(context.Context) (*Memory, error) { // as of a run that was killed
		return &Memory{SystemID: seen.SystemID, Timeline: 1, End: seen.End, At: seen.At, Written: time.Now(), Publication: seen.Publication, Own: seen}, nil
	}
	err := start(t, p.options).fault(t)
	if gap, ok := errors.AsType[*Gap](err); !ok || gap.From != seen.End || gap.To <= gap.From {
		t.Errorf("error %v, want a gap from %s", err, seen.End)
	}
}

// TestStandbyIsNoGap: a connection that arrives at a standby, because a name or a balancer
// leads there or the primary has no room for one more, finds no slot, or an earlier end of the
// WAL. Nothing is missing: the stream waits for the primary.
func TestStandbyIsNoGap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		synced bool // the standby has the slot
	}{
		{"without the slot", false},
		{"behind", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			if !test.synced {
				p.before.Exec(t, "SELECT pg_drop_replication_slot($1)", p.plan.Slot)
				p.before.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", p.plan.Slot)
			}
			s := start(t, p.options)
			p.before.Exec(t, "INSERT INTO a VALUES (1, '')")
			s.collect(t, 1)
			if test.synced {
				p.synchronize(t)
				p.detach(t)
				p.write(t, p.before)
				p.before.Exec(t, "INSERT INTO a VALUES (2, '')")
				s.collect(t, 1)
			}
			primary := p.socket.Swap(&p.standbySocket)
			s.Reconnect(errors.New("the primary has moved, as far as is known"))
			await(t, func() string {
				at, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				if _, err := s.Next(at); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("the stream has ended: %v", err)
				}
				if fault := s.Stats().Fault; fault == nil || !strings.Contains(fault.Error(), "standby") {
					return fmt.Sprintf("the last connection ended with %v", fault)
				}
				return ""
			})
			p.socket.Store(primary)
			p.before.Exec(t, "INSERT INTO a VALUES (3, '')")
			s.collect(t, 1)
		})
	}
}
