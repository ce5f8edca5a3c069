package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// choosyStore refuses a whole batch because of one row, as a server does.
type choosyStore struct {
	*fakeStore
	code    string
	refuses func(key state.Key, bodiless bool) bool
}

func (s *choosyStore) Apply(ctx context.Context, b state.Batch) error {
	refused := false
	for _, row := range b.Insert {
		refused = refused || s.refuses(row.Key, row.Body.Len() == 0)
	}
	for _, list := range [][]state.Attempt{b.Update, b.Bury} {
		for _, a := range list {
			refused = refused || s.refuses(a.Key, a.Bodiless)
		}
	}
	if refused {
		return fmt.Errorf("park: %w", &pgconn.PgError{Code: s.code, Message: "secret payload", Severity: "ERROR"})
	}
	return s.fakeStore.Apply(ctx, b)
}

// TestUnstorableDeliveryKeepsNobodyWaiting: whichever deliveries the store refuses, with
// whatever error, all others are parked, and the slot waits for none.
func TestUnstorableDeliveryKeepsNobodyWaiting(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		code := rapid.SampledFrom([]string{"22003", "22008", "22021", "22P02", "23502", "23514", "54000", "P0001", "XX000", "53200"}).Draw(r, "code")
		many := rapid.IntRange(1, 60).Draw(r, "events")
		bad := rapid.SliceOfNDistinct(rapid.IntRange(0, many-1), 0, min(many, 5), rapid.ID).Draw(r, "refused")
		slices.Sort(bad)
		synctest.Test(t, func(t *testing.T) {
			store := &choosyStore{fakeStore: newFakeStore(), code: code, refuses: func(key state.Key, bodiless bool) bool {
				return key.Hook == 1 && slices.Contains(bad, key.Event.Ordinal) && !bodiless
			}}
			answers := newStatuses(503, "h1", "h2")
			m := NewMetrics(nil)
			b := newBench(t, Options{Store: store, Metrics: m}, answers.round, hostRow(1), hostRow(2))
			for n := range many {
				b.enqueue(t, 1, n, n+1)
				b.enqueue(t, 2, n, n+1)
			}
			b.drain(t)
			time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
			synctest.Wait()
			if got := events(store.list(1, state.Dead)); !slices.Equal(got, bad) {
				t.Errorf("dead: %v, want %v", got, bad)
			}
			for _, row := range store.list(1, state.Dead) {
				if row.Reason != "unstorable" || row.Body.Len() != 0 {
					t.Errorf("dead row %+v", row)
				}
			}
			if got := len(store.list(1, state.Parked)) + len(bad); got != many {
				t.Errorf("%d of %d are stored for the hook", got, many)
			}
			if got := len(store.list(2, state.Parked)); got != many {
				t.Errorf("%d of %d are parked for the other hook", got, many)
			}
			if len(bad) > 0 && (!strings.Contains(strings.Join(linesOf(b.log, "ERROR"), ""), "unstorable") || state.IsRefused(&pgconn.PgError{Code: code}) && strings.Contains(b.log.String(), "secret payload")) {
				t.Errorf("log:\n%s", b.log)
			}
			answers.set("h1", 200)
			answers.set("h2", 200)
			apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
			apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(2)})
			time.Sleep(2 * time.Hour) //nolint:forbidigo // of the bubble
			synctest.Wait()
			if n := len(store.list(1, state.Parked)) + len(store.list(2, state.Parked)); n != 0 {
				t.Errorf("%d are parked after the receivers are back", n)
			}
			if parked, dead := m.shown(t, "hooktail_parked", "1"), m.shown(t, "hooktail_dead", "1"); parked != 0 || dead != float64(len(bad)) {
				t.Errorf("parked %v, dead %v; want 0, %d", parked, dead, len(bad))
			}
		})
	})
}

// TestUnstorableDeathIsStored: a delivery that dies immediately or in the store is stored
// as dead without its body if the store refuses it. A row that cannot be changed remains.
func TestUnstorableDeathIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &choosyStore{fakeStore: newFakeStore(), code: "23514"}
		store.refuses = func(_ state.Key, bodiless bool) bool { return !bodiless }
		b := newBench(t, Options{Store: store, Retry: Policy{MaxAttempts: 1}}, newStatuses(503, "h1").round, hostRow(1))
		b.enqueue(t, 1, 0, 1)
		b.drain(t)
		if dead := store.list(1, state.Dead); len(dead) != 1 || dead[0].Reason != "unstorable" {
			t.Errorf("dead: %+v", dead)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		store := &choosyStore{fakeStore: newFakeStore(), code: "23514"}
		var since atomic.Bool
		store.refuses = func(_ state.Key, bodiless bool) bool { return since.Load() && !bodiless }
		b := newBench(t, Options{Store: store, Retry: Policy{MaxAttempts: 6}}, newStatuses(503, "h1").round, hostRow(1))
		b.enqueue(t, 1, 0, 1)
		b.drain(t)
		if n := len(store.list(1, state.Parked)); n != 1 {
			t.Fatalf("%d are parked", n)
		}
		since.Store(true)
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if dead := store.list(1, state.Dead); len(dead) != 1 || dead[0].Reason != "exhausted" {
			t.Errorf("dead: %+v", dead)
		}
	})
}

// TestRefusingTableIsWaitedFor: if a table refuses everything, no delivery is at fault,
// and all are retried.
func TestRefusingTableIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &choosyStore{fakeStore: newFakeStore(), code: "P0001"}
		broken := true
		store.refuses = func(state.Key, bool) bool { return broken }
		b := newBench(t, Options{Store: store}, newStatuses(503, "h1").round, hostRow(1))
		b.enqueue(t, 1, 0, 1)
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if n := len(b.finished()); n != 0 {
			t.Errorf("%d are done, and nothing is stored", n)
		}
		broken = false
		b.drain(t)
	})
}

// ailingStore fails every change until a time.
type ailingStore struct {
	*fakeStore
	code  string
	until time.Time
}

func (s *ailingStore) Apply(ctx context.Context, b state.Batch) error {
	if time.Now().Before(s.until) {
		return &pgconn.PgError{Code: s.code}
	}
	return s.fakeStore.Apply(ctx, b)
}

// TestAilingStoreLosesNothing: a database, or a proxy before it, that fails everything for hours
// with an error that could be about a delivery says nothing about any. When it works again, what
// was to be parked is parked with its body, a dead delivery keeps its body, and a delivered one
// is removed.
func TestAilingStoreLosesNothing(t *testing.T) {
	for _, code := range []string{"53200", "53400", "XX000", "P0001", "23514"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &ailingStore{fakeStore: newFakeStore(), code: code, until: time.Now().Add(3 * time.Hour)}
				b := newBench(t, Options{Store: store}, newStatuses(503, "h1").round, hostRow(1))
				for n := range 3 {
					b.enqueue(t, 1, n, n+1)
				}
				b.drain(t)
				if parked, dead := store.list(1, state.Parked), store.list(1, state.Dead); len(parked) != 3 || len(dead) != 0 {
					t.Errorf("%d are parked and %d are dead, want 3 and none", len(parked), len(dead))
				}
				for _, row := range store.list(1, state.Parked) {
					if row.Body.Len() == 0 {
						t.Errorf("%s is parked without its body", row.Event)
					}
				}
			})
		})
	}
	for _, code := range []string{"53200", "53400", "XX000"} {
		for status, left := range map[int]int{200: 0, 410: 1} {
			t.Run(fmt.Sprintf("stored, %s, %d", code, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					store := &ailingStore{fakeStore: newFakeStore(), code: code}
					answers := newStatuses(503, "h1")
					b := newBench(t, Options{Store: store}, answers.round, hostRow(1))
					b.enqueue(t, 1, 0, 1)
					b.drain(t)
					store.until = time.Now().Add(3 * time.Hour)
					answers.set("h1", status)
					time.Sleep(6 * time.Hour) //nolint:forbidigo // of the bubble
					synctest.Wait()
					rows := append(store.list(1, state.Parked), store.list(1, state.Dead)...)
					if len(rows) != left || left > 0 && (rows[0].State != state.Dead || rows[0].Body.Len() == 0) {
						t.Errorf("stored: %+v, want %d", rows, left)
					}
				})
			})
		}
	}
}

// refusingLocker refuses bodies, and from then on another session has locked the rows.
type refusingLocker struct {
	*lockingStore
	refused atomic.Int32
}

func (s *refusingLocker) Apply(ctx context.Context, b state.Batch) error {
	for _, row := range b.Insert {
		if row.Hook == 1 && row.Body.Len() > 0 {
			if s.refused.Add(1) == 1 {
				s.until = time.Now().Add(10 * time.Minute)
			}
			return &pgconn.PgError{Code: "23514"}
		}
	}
	return s.lockingStore.Apply(ctx, b)
}

// TestRefusedDeliveryWaitsForItsLock: a delivery that the store refuses, and whose row is
// locked then, is dead when the row is free: it is logged, counted and done once.
func TestRefusedDeliveryWaitsForItsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &refusingLocker{lockingStore: &lockingStore{fakeStore: newFakeStore(), locks: func(key state.Key) bool { return key.Hook == 1 }}}
		m := NewMetrics(nil)
		b := newBench(t, Options{Store: store, Metrics: m}, newStatuses(503, "h1", "h2").round, hostRow(1), hostRow(2))
		b.enqueue(t, 1, 0, 1)
		<-time.After(time.Minute)
		b.enqueue(t, 2, 1, 1)
		<-time.After(time.Minute)
		const line = "Delivery cannot be stored"
		if done, said := b.finished(), strings.Count(b.log.String(), line); !slices.Equal(done, []int{1}) || said > 0 {
			t.Errorf("while the row is locked: %v are done, logged %d times", done, said)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		dead := store.list(1, state.Dead)
		if len(dead) != 1 || dead[0].Reason != "unstorable" || dead[0].Body.Len() > 0 {
			t.Errorf("dead: %+v", dead)
		}
		if said := strings.Count(b.log.String(), line); said != 1 {
			t.Errorf("logged %d times", said)
		}
		if n, shown := b.Overview()[0].Counts.Dead, m.shown(t, "hooktail_dead", "1"); n != 1 || shown != 1 {
			t.Errorf("%d counted, %v shown as dead", n, shown)
		}
		if done := b.finished(); !slices.Equal(done, []int{1, 0}) || store.refused.Load() != 1 {
			t.Errorf("%v are done, refused %d times", done, store.refused.Load())
		}
	})
}
