package cdc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// patience is how long the tests wait for what must come.
const patience = 20 * time.Second

// planOf is a plan for one database: the names of slots are the server's.
func planOf(db *cdctest.Database, tables ...string) Plan {
	plan := Plan{Slot: "slot_" + db.Name, Publication: "Pub's " + db.Name}
	for _, name := range tables {
		plan.Tables = append(plan.Tables, Table{Schema: "public", Name: name})
	}
	return plan
}

// source is a database with a table a (id, v) and the plan that streams it, set up.
func source(t testing.TB, s *cdctest.Server) (*cdctest.Database, Plan) {
	t.Helper()
	db := s.Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Fatalf("set up: %v", err)
	}
	return db, plan
}

// optionsOf are those that a stream of the plan needs, with a short timeout.
func optionsOf(t testing.TB, db *cdctest.Database, plan Plan) Options {
	t.Helper()
	config, err := pgconn.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Config: config, Slot: plan.Slot, Publication: plan.Publication, Tables: plan.Tables,
		Timeout: 2 * time.Second, StatusInterval: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond,
	}
}

// through makes the options connect by way of a proxy.
func through(t testing.TB, o Options, proxy *cdctest.Proxy) Options {
	t.Helper()
	o.Config = o.Config.Copy()
	o.Config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", proxy.Addr())
	}
	return o
}

// running is a stream in the background.
type running struct {
	*Stream
	stop func() error // cancels and waits for Run
}

// start runs the stream until the test ends.
func start(t testing.TB, o Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := New(o)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() }) // who cares for the error calls it
	return &running{s, stop}
}

// collect takes changes until there are n, and finishes with all of them.
func (r *running) collect(t testing.TB, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var got []string
	for len(got) < n {
		parts, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d changes: %v", len(got), n, err)
		}
		for _, p := range parts {
			for _, c := range p.Changes {
				got = append(got, fmt.Sprintf("%s %s %s", c.Op, c.Relation.Name, c.New.Text(0)))
			}
			finish(p)
		}
	}
	if len(got) > n {
		t.Fatalf("%d changes, want %d: …%v", len(got), n, got[n:])
	}
	return got
}

// finish does what the consumer of a part owes.
func finish(p *Part) {
	if p.Last {
		p.Tx.Close(p.End)
	}
	p.Free()
}

// fault is what Run returns; it must come by itself.
func (r *running) fault(t testing.TB) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := r.Next(ctx)
	if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStopped) {
		t.Fatalf("stream goes on: %v", err)
	}
	if ran := r.stop(); !errors.Is(ran, err) {
		t.Fatalf("Run returned %v, Next %v", ran, err)
	}
	return err
}

// await polls until ok says "", the reason why not yet otherwise.
func await(t testing.TB, ok func() string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for why := ok(); why != ""; why = ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %s: %s", patience, why)
		}
	}
}

// confirmed is where the server has recorded the slot.
func confirmed(t testing.TB, db *cdctest.Database, slot string) LSN {
	t.Helper()
	var lsn LSN
	if err := lsn.Scan(db.QueryText(t, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", slot)); err != nil {
		t.Fatalf("position of slot %s: %v", slot, err)
	}
	return lsn
}
