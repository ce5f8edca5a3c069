package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

func TestRolledBackNeverArrives(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	conn := db.Connect(t)
	for _, sql := range []string{
		"BEGIN; INSERT INTO a VALUES (1, 'rolled back'); ROLLBACK",
		"BEGIN; INSERT INTO a VALUES (2, 'kept'); SAVEPOINT s; INSERT INTO a VALUES (3, 'rolled back'); ROLLBACK TO s; COMMIT",
		"DO $$ BEGIN INSERT INTO a VALUES (4, 'failed'); PERFORM 1/0; EXCEPTION WHEN OTHERS THEN INSERT INTO a VALUES (5, 'kept'); END $$",
		"TRUNCATE a",
		"INSERT INTO a VALUES (6, 'last')",
	} {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	s := start(t, optionsOf(t, db, plan))
	want := []string{"insert a 2", "insert a 5", "truncate a ", "insert a 6"}
	if diff := cmp.Diff(want, s.collect(t, len(want))); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// TestAnyBytes: a database that does not know the encoding of its text (SQL_ASCII) has rows that
// are not UTF-8. They do not end the stream.
func TestAnyBytes(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, other := server.Database(t), server.Database(t)
	other.Exec(t, "DROP DATABASE "+db.Name)
	other.Exec(t, "CREATE DATABASE "+db.Name+" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	db.Exec(t, "CREATE TABLE a (v text PRIMARY KEY)")
	plan := planOf(db, "a")
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Fatalf("set up: %v", err)
	}
	s := start(t, optionsOf(t, db, plan))
	for _, v := range []string{"'Zoë'", `E'caf\xe9'`, `E'{"v":"\xc3"}'`} {
		db.Exec(t, "INSERT INTO a VALUES ("+v+")")
	}
	want := []string{"insert a Zoë", "insert a caf\x7f", "insert a {\"v\":\"\x7f\"}"}
	if diff := cmp.Diff(want, s.collect(t, len(want))); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestPartsTellOfTheirCommit(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	parts, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := parts[0]
	if !p.First || !p.Last || p.End <= p.Commit || p.Timeline != 1 || p.XID == 0 || p.Bytes() == 0 {
		t.Errorf("part is %+v", p)
	}
	if p.Age < 0 || p.Age > patience || time.Since(p.Received) > patience || time.Since(p.Time) > patience {
		t.Errorf("age %v, received %v, committed %v", p.Age, p.Received, p.Time)
	}
	if got := confirmed(t, db, plan.Slot); got > p.Commit {
		t.Errorf("slot at %v although the transaction at %v is not done", got, p.Commit)
	}
	finish(p)
	await(t, func() string {
		if got := confirmed(t, db, plan.Slot); got < p.End {
			return fmt.Sprintf("slot at %v, transaction ended at %v", got, p.End)
		}
		return ""
	})
}

// TestIdleSlotAdvances writes to tables that are not published, and in another
// database: the slot must not hold that WAL.
func TestIdleSlotAdvances(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	s := start(t, optionsOf(t, db, plan))
	neighbour := server.Database(t)
	for _, busy := range []*cdctest.Database{db, neighbour} {
		busy.Exec(t, "CREATE TABLE other AS SELECT generate_series(1, 1000) AS x")
		var written LSN
		if err := written.Scan(busy.QueryText(t, "SELECT pg_current_wal_insert_lsn()")); err != nil {
			t.Fatal(err)
		}
		await(t, func() string {
			if got := confirmed(t, db, plan.Slot); got < written {
				return fmt.Sprintf("slot at %v, written up to %v, stats %+v", got, written, s.Stats())
			}
			return ""
		})
	}
}

func TestUnfinishedTransactionHoldsTheSlot(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	parts, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	held := parts[0]
	for i := range 20 {
		db.Exec(t, "INSERT INTO a VALUES ($1, '')", 10+i)
	}
	s.collect(t, 20)
	recorded := s.Stats().Recorded
	if recorded >= held.End || confirmed(t, db, plan.Slot) >= held.End {
		t.Errorf("recorded %v, slot at %v, the transaction that ends at %v is not done", recorded, confirmed(t, db, plan.Slot), held.End)
	}
	finish(held)
	if err := s.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if got, want := confirmed(t, db, plan.Slot), s.position.progress().confirmed; got != want {
		t.Errorf("slot at %v after the stop, want %v", got, want)
	}
}

// TestGracefulStop stops reading, delivers, and starts again: nothing comes twice.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	parts, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.StopReading()
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrStopped) {
		t.Fatalf("Next after StopReading: %v, want %v", err, ErrStopped)
	}
	db.Exec(t, "INSERT INTO a VALUES (2, '')") // not for this stream
	finish(parts[0])
	if err := s.stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if got := confirmed(t, db, plan.Slot); got != parts[0].End {
		t.Errorf("slot at %v after the stop, want %v", got, parts[0].End)
	}
	if diff := cmp.Diff([]string{"insert a 2"}, start(t, optionsOf(t, db, plan)).collect(t, 1)); diff != "" {
		t.Errorf("after the restart (-want +got):\n%s", diff)
	}
}

// TestStopReadingFinishesTheTransaction stops within a transaction that is
// being handed over.
func TestStopReadingFinishesTheTransaction(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	db.Exec(t, "INSERT INTO a SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g")
	db.Exec(t, "INSERT INTO a VALUES (0, 'next')")
	o := optionsOf(t, db, plan)
	o.PartRows, o.QueueBytes = 100, 100_000
	s := start(t, o)
	got := 0
	for {
		parts, err := s.Next(t.Context())
		if errors.Is(err, ErrStopped) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		s.StopReading()
		for _, p := range parts {
			got += len(p.Changes)
			finish(p)
		}
	}
	if got != 20000 {
		t.Errorf("%d changes, want the 20000 of the transaction", got)
	}
}

func TestLargeTransactionBoundedMemory(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	const rows = 50_000
	db.Exec(t, "INSERT INTO a SELECT g, repeat('x', 1000) FROM generate_series(1, $1::int) g", rows)
	o := optionsOf(t, db, plan)
	o.PartBytes, o.QueueBytes = 256<<10, 1<<20
	s := start(t, o)
	next, tx := 0, (*Tx)(nil)
	for next < rows {
		parts, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if held := s.Stats().QueueBytes; held > o.QueueBytes {
			t.Fatalf("%d bytes held, bound %d", held, o.QueueBytes)
		}
		for _, p := range parts {
			if tx == nil {
				tx = p.Tx
			}
			if p.First != (next == 0) || p.Tx != tx || p.Bytes() > 2*o.PartBytes {
				t.Fatalf("part at %d: first %v, same transaction %v, %d bytes", next, p.First, p.Tx == tx, p.Bytes())
			}
			for _, c := range p.Changes {
				if c.Ordinal != next || string(c.New.Text(0)) != fmt.Sprint(next+1) {
					t.Fatalf("change %d has ordinal %d, row %s", next, c.Ordinal, c.New.Text(0))
				}
				next++
			}
			if p.Last != (next == rows) {
				t.Fatalf("part up to %d: last %v", next, p.Last)
			}
			finish(p)
		}
	}
}

func TestHeartbeatComesBack(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	o := optionsOf(t, db, plan)
	beats := make(chan string, 3)
	o.OnHeartbeat = func(content string) { beats <- content }
	s := start(t, o)
	db.Exec(t, "SELECT pg_logical_emit_message(false, 'another', 'one')")
	db.Exec(t, "SELECT pg_logical_emit_message(false, 'hooktail', 'nonce')")
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	if got := <-beats; got != "nonce" {
		t.Errorf("heartbeat %q, want nonce", got)
	}
}

// TestSlowConsumerKeepsTheConnection takes nothing for longer than the server's
// timeout.
func TestSlowConsumerKeepsTheConnection(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	const rows = 20_000 // more than the buffers of the socket hold
	db.Exec(t, "INSERT INTO a SELECT g, repeat('x', 1000) FROM generate_series(1, $1::int) g", rows)
	o := optionsOf(t, db, plan)
	o.QueueBytes = 100_000
	s := start(t, o)
	pid := ""
	await(t, func() string {
		if s.Stats().QueueBytes == 0 {
			return "nothing read yet"
		}
		pid = db.QueryText(t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", plan.Slot)
		return ""
	})
	full := time.Now()
	await(t, func() string {
		if now := db.QueryText(t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", plan.Slot); now != pid {
			t.Fatalf("walsender %s was replaced by %q", pid, now)
		}
		if time.Since(full) < o.Timeout*3/2 {
			return "not longer than the timeout yet"
		}
		return ""
	})
	s.collect(t, rows)
	if got := s.Stats().Connections; got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

// TestSecondStreamWaitsForTheSlot takes over when the first one ends.
func TestSecondStreamWaitsForTheSlot(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	first := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	first.collect(t, 1)
	second := start(t, optionsOf(t, db, plan))
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	if diff := cmp.Diff([]string{"insert a 2"}, second.collect(t, 1)); diff != "" {
		t.Errorf("changes of the second (-want +got):\n%s", diff)
	}
}

// TestRecordedScenariosStream plays recorded scenarios and reads them.
func TestRecordedScenariosStream(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	plan := planOf(db, "project", "task", "task_completion", "webhook", "webhook_action")
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Fatal(err)
	}
	s := start(t, optionsOf(t, db, plan))
	for _, r := range recordings(t)[:20] {
		var want []string
		relations := map[uint32]string{}
		var m message
		for _, raw := range r.messages {
			if err := m.decode(raw); err != nil {
				t.Fatal(err)
			}
			switch {
			case m.kind == kindRelation:
				relations[m.relation.ID] = m.relation.Name
			case strings.IndexByte("IUD", m.kind) >= 0:
				want = append(want, fmt.Sprintf("%s %s %s", Op(m.kind), relations[m.id], m.new.Text(0)))
			}
		}
		db.Play(t, r.name)
		got := s.collect(t, len(want))
		slices.Sort(want) // the rows of one statement come in any order
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-recorded +read):\n%s", r.name, diff)
		}
	}
}

func TestRunEndsWithContext(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	o := through(t, optionsOf(t, db, plan), proxy)
	t.Run("before it has connected", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := New(o).Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Run("while the network hangs", func(t *testing.T) {
		o := o
		o.Timeout = time.Minute
		s := start(t, o)
		await(t, func() string {
			if !s.Stats().Connected {
				return "not connected"
			}
			return ""
		})
		proxy.Stall()
		began := time.Now()
		if err := s.stop(); err == nil {
			t.Error("no error although the server could not be told")
		}
		if took := time.Since(began); took > finishTimeout+5*time.Second {
			t.Errorf("took %v", took)
		}
	})
}
