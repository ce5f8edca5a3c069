//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

const patience = proctest.Patience

// pair is two instances of hooktail on one slot.
type pair struct {
	db        *cdctest.Database
	variables []string
	receiver  *fronts
	proxies   map[string]string // by instance
	instances map[string]*proctest.Program
}

// other is the name of the other instance.
func other(instance string) string { return map[string]string{"A": "B", "B": "A"}[instance] }

// startPair starts two instances, A first: it leads, and B stands by. Both send
// to one receiver, which takes a while for each request.
func startPair(t *testing.T, variables ...string) *pair {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	oneHook(t, db)
	proctest.SetUp(t, db)
	p := &pair{
		db: db, variables: variables, receiver: newFronts(20 * time.Millisecond),
		proxies: make(map[string]string), instances: make(map[string]*proctest.Program),
	}
	for _, instance := range []string{"A", "B"} {
		p.proxies[instance] = p.receiver.proxy(t, instance)
	}
	p.start(t, "A").Ready(t)
	p.start(t, "B").StandsBy(t)
	return p
}

// oneHook replaces the hooks by one that wants everything, at an address where
// nobody is: it is reached through fronts.
func oneHook(t *testing.T, db *cdctest.Database) {
	t.Helper()
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, `INSERT INTO webhook (url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		VALUES ('http://127.0.0.1:9/', 1, NULL, true, true, '{}', true, now() - interval '1 day', now())`)
}

func (p *pair) start(t *testing.T, instance string) *proctest.Program {
	t.Helper()
	variables := append([]string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_PROXY=" + p.proxies[instance]}, p.variables...)
	program := proctest.Start(t, proctest.RoleEnviron(p.db, variables...), "run")
	p.instances[instance] = program
	t.Cleanup(func() {
		if text := program.Stderr.String(); t.Failed() {
			t.Logf("%s wrote, at the end:\n%s", instance, text[max(0, len(text)-8<<10):])
		}
	})
	return program
}

// isLeader waits until the instance's metric says so, or the opposite.
func isLeader(t *testing.T, p *proctest.Program, want string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if _, body := p.Get(t, "/metrics"); !strings.Contains(body, "\nhooktail_leader "+want+"\n") {
			return fmt.Errorf("hooktail_leader is not %s", want)
		}
		return nil
	})
}

// writer commits annotations of some tasks, one after the other, until stop,
// which returns them by task.
func (p *pair) writer(t *testing.T, every time.Duration) (stop func() map[int64][]int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	conn := p.db.Connect(t)
	committed := make(map[int64][]int64)
	var failed error
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := int64(0); ; n++ {
			task, annotation := 7+n%tasksOfPair, int64(0)
			if failed = conn.QueryRow(context.WithoutCancel(ctx), annotate, task).Scan(&annotation); failed != nil {
				return
			}
			committed[task] = append(committed[task], annotation)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() map[int64][]int64 {
		cancel()
		wg.Wait()
		if failed != nil && !errors.Is(failed, pgx.ErrNoRows) {
			t.Fatalf("annotate: %v", failed)
		}
		return committed
	}
}

// tasksOfPair is how many tasks are written to: as many as there are requests in
// flight for a hook.
const tasksOfPair = 8

// finish waits until all that was committed is delivered, and returns it.
func (p *pair) finish(t *testing.T, stop func() map[int64][]int64) map[int64][]int64 {
	t.Helper()
	committed := stop()
	proctest.Confirmed(t, p.db)
	proctest.WaitFor(t, func() error {
		if n := p.db.QueryText(t, "SELECT count(*) FROM hooktail.parked"); n != "0" {
			return fmt.Errorf("%s deliveries are parked", n)
		}
		return nil
	})
	return committed
}

// annotate inserts an annotation of the task.
const annotate = `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
	ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
	SELECT '[]', id, project_id, 1, 1, false, false, now(), now(), '{}', 0, false FROM task WHERE id = $1 RETURNING id`

// A takeover is the time from the end of the leader to the first event of the next.
const (
	takeover = 2 * time.Second
	// takeoverAtWorst is for a machine on which other tests run: it may hold up one
	// takeover, but not all of a kind.
	takeoverAtWorst = 20 * time.Second
)

// TestTwoInstances: one leads and the other is ready to. However the leader goes,
// the other goes on from there at once; never do two send at the same time, and
// the events of a task stay in order.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	takeOver(t, 2)
}

// takeOver ends the leader so many times in each way.
func takeOver(t *testing.T, times int) {
	t.Helper()
	p := startPair(t)
	isLeader(t, p.instances["A"], "1")
	isLeader(t, p.instances["B"], "0")
	stop := p.writer(t, 30*time.Millisecond)
	p.receiver.first(t, "A", 0)

	leader, took := "A", make(map[string][]time.Duration)
	for range times {
		for _, way := range []struct {
			name string
			end  func(*proctest.Program)
		}{
			{"kill -9", func(l *proctest.Program) { l.Kill() }},
			{"SIGTERM", func(l *proctest.Program) { l.Signal(syscall.SIGTERM) }},
		} {
			old := p.instances[leader]
			n, began := p.receiver.count(), time.Now()
			way.end(old)
			first := p.receiver.first(t, other(leader), n)
			took[way.name] = append(took[way.name], first.at.Sub(began).Round(time.Millisecond))
			old.Wait(t)
			p.start(t, leader).StandsBy(t)
			leader = other(leader)
			isLeader(t, p.instances[leader], "1")
		}
	}
	for way, all := range took {
		t.Logf("%s: the first event of the new leader arrived after %v", way, all)
		if best := slices.Min(all); best > takeover {
			t.Errorf("%s: the quickest takeover took %s, want at most %s", way, best, takeover)
		}
		if worst := slices.Max(all); worst > takeoverAtWorst {
			t.Errorf("%s: a takeover took %s, which is far more than %s", way, worst, takeover)
		}
	}
	p.receiver.check(t, p.finish(t, stop))
}
