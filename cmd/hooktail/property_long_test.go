//go:build long

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

var transactions = flag.Int("transactions", 40, "of each session of TestRandomTransactionsRebuildTheRows")

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
// The oracle is the rows that PostgreSQL has, and what each session knows to have
// committed. The statements of a session follow from the seed; how the sessions
// fall in with each other does not. The program is a process of its own, so that
// its memory bound is its own.
func TestRandomTransactionsRebuildTheRows(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, profile string
		memory        string // one 64th of it is the bound of a part
		whole         bool   // no transaction is larger than a part
		beside        bool   // one more hook has everything turned on: the others see no difference
	}{
		{"guide", "guide", "512MiB", true, false},
		{"native", "native", "512MiB", true, false},
		{"guide in parts", "guide", "16MiB", false, false},
		{"native in parts", "native", "16MiB", false, false},
		{"guide beside everything", "guide", "512MiB", true, true},
		{"native in parts beside everything", "native", "16MiB", false, true},
	}
	few := len(proctest.FewRoutes())
	for i, route := range proctest.Routes() {
		for n, tt := range tests {
			if i >= few && (!tt.whole || n > 0 && !proctest.Soak) {
				continue // the parts are the pipeline's, which stands before the log
			}
			t.Run(tt.name+" "+route.Name, func(t *testing.T) {
				t.Parallel()
				from := *seed
				if from == 0 {
					from = rand.Uint64()
				}
				t.Logf("repeat with -run '%s$' -seed=%d -transactions=%d", t.Name(), from, *transactions)
				w := newWorld(t, route.Log(t), tt.profile, tt.memory, tt.beside)
				w.run(t, from, *transactions)
				w.check(t, tt.whole)
				if tt.beside {
					w.beside.check(t)
				}
			})
		}
	}
}

// world is a database with a running program, those who write to it, and what
// the hooks were told.
type world struct {
	native   bool
	db       *cdctest.Database
	log      *proctest.Log // nil: there is none
	receiver string
	hooks    map[int64]hookModel // of the base data
	base     map[int64]replayed  // its rows, by organization
	sessions []*session
	inbox    *conformance.Collector
	faults   int
	beside   *everything // nil: there is none
}

func newWorld(t *testing.T, log *proctest.Log, profile, memory string, beside bool) *world {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	w := &world{native: profile == "native", db: db, log: log, inbox: &conformance.Collector{}}
	w.receiver = "http://" + point(t, db, w.inbox)
	w.hooks = baseHooks(t, db)
	w.base = map[int64]replayed{1: stored(t, db, 1), 2: stored(t, db, 2)}
	if beside {
		w.beside = turnEverythingOn(t, log, db)
	}
	log.Run(t, db, "HOOKTAIL_PROFILE="+profile, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=1m", "HOOKTAIL_MEMORY="+memory)
	return w
}

// run lets the sessions write, all at the same time, and waits until all of it
// is delivered.
func (w *world) run(t *testing.T, seed uint64, transactions int) {
	t.Helper()
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
	if w.beside != nil {
		for range transactions {
			w.beside.emit(t)
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("write: %v", err)
	}
	w.db.Exec(t, "UPDATE webhook SET is_active = true WHERE NOT is_active") // what was held for them goes on
	deliveredThrough(t, w.log, w.db)
}

// check compares what arrived with what was committed. Of a transaction that is
// worked off in parts, what a later part undoes may have been told by then, and
// hooks are as of the part: only the outcome, the order and that nothing was
// rolled back are promised.
func (w *world) check(t *testing.T, whole bool) {
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
		w.checkRows(t, organization, inbox[hook])
		if whole {
			w.checkTold(t, organization, inbox[hook])
			w.checkTasks(t, inbox[hook])
		}
	}
	if whole {
		w.checkHooks(t, inbox)
	}
	if w.faults > shownFaults {
		t.Errorf("and %d more", w.faults-shownFaults)
	}
}

// shownFaults bounds what a failure prints: one fault mostly makes many.
const shownFaults = 20

func (w *world) fault(t *testing.T, format string, args ...any) {
	t.Helper()
	if w.faults++; w.faults <= shownFaults {
		t.Errorf(format, args...)
	}
}

// journalOf is the transaction that wrote the mark, if a session knows it.
func (w *world) journalOf(mark string) string {
	if mark == "" {
		return "unknown"
	}
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
