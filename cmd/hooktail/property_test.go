package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

var (
	seed         = flag.Uint64("seed", 0, "repeat TestRandomTransactionsRebuildTheRows; 0: another one each time")
	transactions = flag.Int("transactions", 80, "of each of its sessions")
)

// The sessions of a test and where they write: three share a project of
// organization 1, one is alone in organization 2.
var homes = []struct{ organization, project int64 }{{1, 1}, {1, 1}, {1, 1}, {2, 4}}

// listener is the hook of the base data that is told of everything in its
// organization.
var listener = map[int64]int64{1: 6, 2: 10}

// TestRandomTransactionsRebuildTheRows: whatever several sessions do at the same
// time, a hook that replays what it is told ends up with the rows that the
// database has, and every hook is told exactly what was committed while it wanted
// it, in the order of the commits.
//
// The program runs as a second reader of the same WAL; the rows that PostgreSQL
// has, and what each session knows to have committed, are the oracle.
func TestRandomTransactionsRebuildTheRows(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"guide", "native"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			from := *seed
			if from == 0 {
				from = rand.Uint64()
			}
			t.Logf("repeat with -seed=%d -transactions=%d", from, *transactions)
			w := newWorld(t, profile)
			w.run(t, from, *transactions)
			w.check(t)
		})
	}
}

// world is a database with a running program, those who write to it, and what
// the hooks were told.
type world struct {
	native   bool
	db       *cdctest.Database
	receiver string
	hooks    map[int64]hookModel // of the base data
	base     map[int64]replay    // its rows, by organization
	sessions []*session
	inbox    *conformance.Collector
}

func newWorld(t *testing.T, profile string) *world {
	db := cdctest.Postgres(t).LabelStudio(t)
	w := &world{native: profile == "native", db: db, inbox: &conformance.Collector{}}
	w.receiver = "http://" + point(t, db, w.inbox)
	w.hooks = baseHooks(t, db)
	w.base = map[int64]replay{1: stored(t, db, 1), 2: stored(t, db, 2)}
	start(t, db, "HOOKTAIL_PROFILE="+profile, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=1m")
	return w
}

// run lets the sessions write, all at the same time, and waits until all of it
// is delivered.
func (w *world) run(t *testing.T, seed uint64, transactions int) {
	t.Helper()
	begin := time.Now()
	ctx := context.Background()
	errs := make([]error, len(homes))
	var wg sync.WaitGroup
	for i, home := range homes {
		s := &session{
			number: i, organization: home.organization, home: home.project, receiver: w.receiver, native: w.native,
			conn: w.db.Connect(t), rng: rand.New(rand.NewPCG(seed, uint64(i))),
		}
		w.sessions = append(w.sessions, s)
		wg.Go(func() {
			if errs[i] = s.open(ctx); errs[i] == nil {
				errs[i] = s.run(ctx, transactions)
			}
		})
	}
	wg.Wait()
	t.Log(time.Since(begin))
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("write: %v", err)
	}
	delivered(t, w.db)
	t.Log(time.Since(begin), len(w.inbox.Requests()))
}

// check compares what arrived with what was committed.
func (w *world) check(t *testing.T) {
	t.Helper()
	inbox := map[int64][]delivery{}
	requests := w.inbox.Take()
	for _, r := range requests {
		d, err := parseDelivery(r)
		if err != nil {
			t.Fatal(err)
		}
		d.at.waits = waits(d.action, w.native)
		inbox[d.hook] = append(inbox[d.hook], d)
	}
	if len(inbox[listener[1]]) == 0 || len(inbox[listener[2]]) == 0 {
		t.Fatal("nothing arrived")
	}
	w.checkRolledBack(t, requests)
	for hook, deliveries := range inbox {
		w.checkOnce(t, hook, deliveries)
		w.checkOrder(t, hook, deliveries)
	}
	for organization, hook := range listener {
		w.checkTold(t, organization, inbox[hook])
		w.checkRows(t, organization, inbox[hook])
	}
	w.checkHooks(t, inbox)
}

// journalOf is the transaction that wrote the mark, if a session knows it.
func (w *world) journalOf(mark string) string {
	for _, s := range w.sessions {
		for _, told := range s.told {
			if told.mark == mark {
				return told.tx.String()
			}
		}
		if tx := s.rolledBack[mark]; tx != nil {
			return fmt.Sprint(tx, " (rolled back)")
		}
	}
	return "unknown"
}
