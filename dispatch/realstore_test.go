package dispatch

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

var _ Store = (*state.Store)(nil)

// newRealStore returns a store in a database of its own.
func newRealStore(t testing.TB) *state.Store {
	t.Helper()
	db := cdctest.Postgres(t).Database(t)
	if err := state.Migrate(t.Context(), db.Connect(t), "hooktail"); err != nil {
		t.Fatal(err)
	}
	options, err := pgxpool.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	options.ConnConfig.RuntimeParams["jit"] = "off" // as in the program
	pool, err := pgxpool.NewWithConfig(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return state.New(state.Options{Pool: pool, Schema: "hooktail"})
}

// await waits until nothing is parked.
func await(t testing.TB, store *state.Store) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for {
		backlogs, err := store.Backlogs(t.Context())
		switch {
		case err != nil:
			t.Fatal(err)
		case len(backlogs) == 0:
			return
		case time.Now().After(deadline):
			t.Fatalf("still there: %+v", backlogs)
		}
		<-tick.C
	}
}

// TestOrderOverTheDatabase: deliveries parked by one process and taken over by another
// arrive completely, in order and unchanged.
func TestOrderOverTheDatabase(t *testing.T) {
	store := newRealStore(t)
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h/1", dispatchtest.Status(500))
	const events, tasks = 3000, 20
	first := newSocketBench(t, Options{Store: store}, time.Second, dispatchtest.HookRow(1, hookURL(receiver.URL, 1)))
	chains := make([][]string, tasks)
	for n := range events {
		e := dispatchtest.Event(n, int64(n%tasks+1))
		chains[n%tasks] = append(chains[n%tasks], e.ID.String())
		if err := first.Enqueue(t.Context(), []Delivery{deliveryTo(1, e, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	first.drain(t)
	if err := first.Park(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Close()

	receiver.Script("/h/1")
	second := newSocketBench(t, Options{Store: store}, time.Second, dispatchtest.HookRow(1, hookURL(receiver.URL, 1)))
	backlogs, err := store.Backlogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second.Restore(backlogs, nil)
	await(t, store)
	receiver.AllOf(t, "/h/1", ids(0, events-1)...)
	receiver.DuplicatesAtMost(t, "/h/1", 0)
	for _, chain := range chains {
		receiver.InOrder(t, "/h/1", chain...)
	}
	e := dispatchtest.Event(7, 1)
	for _, r := range receiver.Requests("/h/1") {
		if r.Event != e.ID.String() || r.Status != 200 {
			continue
		}
		if want := string(e.Body(e.Action, true).Bytes()); string(r.Body) != want || r.Header.Get("hooktail-lsn") != e.ID.Commit.String() {
			t.Errorf("body %s, want %s; header %v", r.Body, want, r.Header)
		}
	}
}

// BenchmarkDrain compares delivery from memory with delivery from the database, over
// sockets.
func BenchmarkDrain(b *testing.B) {
	var arrived atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { arrived.Add(1) }))
	defer server.Close()
	const events = 20_000
	for _, kind := range []string{"live", "parked"} {
		b.Run(kind, func(b *testing.B) {
			var delivering time.Duration
			for b.Loop() {
				store := newRealStore(b)
				log := &dispatchtest.Log{}
				sender := newTestSender(b, send.Options{})
				hooks := newTestHooks(b, dispatchtest.HookRow(1, server.URL+"/"))
				d := New(Options{Hooks: hooks, Sender: sender, Store: store, Log: log.Logger(), MaxBytes: 16 << 20})
				if kind == "parked" {
					d.Settings([]state.Setting{{Hook: 1, Paused: true}})
				}
				begun := time.Now()
				for n := range events {
					e := dispatchtest.Event(n, int64(n%1000+1))
					e.Payload = append(e.Payload, make([]byte, 1500)...)
					if err := d.Enqueue(b.Context(), []Delivery{deliveryTo(1, e, nil)}); err != nil {
						b.Fatal(err)
					}
				}
				if err := d.Drain(b.Context()); err != nil {
					b.Fatal(err)
				}
				if kind == "parked" {
					b.ReportMetric(events/time.Since(begun).Seconds(), "parked/s")
					begun = time.Now()
					before := arrived.Load()
					d.Settings(nil)
					tick := time.NewTicker(time.Millisecond)
					for arrived.Load()-before < events {
						<-tick.C
					}
					tick.Stop()
				}
				delivering += time.Since(begun)
				d.Close()
			}
			b.ReportMetric(float64(b.N)*events/delivering.Seconds(), "delivered/s")
		})
	}
}
