package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// poison is a receiver that refuses some tasks permanently, and is down at times.
type poison struct {
	mu       sync.Mutex
	tasks    map[int64]string // how they are refused
	down     bool
	task     map[string]int64 // of the events
	made     map[string]time.Time
	first    map[string]time.Time // attempt
	arrived  map[string]time.Time // last
	order    []string             // arrivals
	requests int
	flight   int
	crowd    int // most requests in flight
}

func newPoison() *poison {
	return &poison{
		tasks: make(map[int64]string), task: make(map[string]int64), made: make(map[string]time.Time),
		first: make(map[string]time.Time), arrived: make(map[string]time.Time),
	}
}

func (p *poison) round(r *http.Request) (*http.Response, error) {
	id := r.Header["webhook-id"][0] //nolint:staticcheck // written as on the wire
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	p.flight++
	p.crowd = max(p.crowd, p.flight)
	defer func() { p.flight-- }()
	if _, again := p.first[id]; !again {
		p.first[id] = time.Now()
	}
	fate := p.tasks[p.task[id]]
	if p.down {
		fate = "reset"
	}
	p.mu.Unlock()
	answer, err := answerAs(r.Context(), fate)
	p.mu.Lock()
	if err == nil && answer.StatusCode == 200 {
		p.arrived[id] = time.Now()
		p.order = append(p.order, id)
	}
	return answer, err
}

func answerAs(ctx context.Context, fate string) (*http.Response, error) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
	switch fate {
	case "":
		return dispatchtest.Answer(200), nil
	case "500":
		return dispatchtest.Answer(500), nil
	case "redirect":
		return dispatchtest.Answer(302), nil
	case "reset":
		return nil, syscall.ECONNRESET
	case "timeout":
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return nil, errors.New(fate)
	}
}

// set makes the receiver refuse the task.
func (p *poison) set(task int64, fate string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks[task] = fate
}

func (p *poison) turn(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
}

// send enqueues the event.
func (p *poison) send(t testing.TB, d *Dispatcher, n int, task int64) string {
	t.Helper()
	e := dispatchtest.Event(n, task)
	id := e.ID.String()
	p.mu.Lock()
	p.task[id], p.made[id] = task, time.Now()
	p.mu.Unlock()
	if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, e, nil)}); err != nil {
		t.Fatal(err)
	}
	return id
}

// waited returns how long the event took to arrive; ok is false if it did not.
func (p *poison) waited(id string) (took time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.arrived[id]
	return at.Sub(p.made[id]), ok
}

// most returns the most requests in flight since its last call.
func (p *poison) most() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.crowd
	p.crowd = 0
	return n
}

func (p *poison) arrivals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}

var fates = []string{"500", "reset", "timeout", "redirect"}

// TestManyPoisonedTasks: an event arrives within a time proportional to the number of
// untried heads.
func TestManyPoisonedTasks(t *testing.T) {
	for _, fate := range fates {
		for _, many := range []int{3, 20, 100, 300} {
			t.Run(fate+"/"+strconv.Itoa(many), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPoison()
					b := newBench(t, Options{Store: newFakeStore()}, p.round, dispatchtest.HookRow(1, "http://x/"))
					for i := range 3 {
						p.set(int64(1000+i), fate)
						p.send(t, b.Dispatcher, i, int64(1000+i))
					}
					<-time.After(10 * time.Minute) // the hook is taken to fail
					good := p.send(t, b.Dispatcher, 3, 1)
					for i := range many {
						p.set(int64(2000+i), fate)
						p.send(t, b.Dispatcher, 4+i, int64(2000+i))
					}
					<-time.After(time.Duration(many+2) * untriedLater)
					if took, ok := p.waited(good); !ok {
						t.Errorf("not arrived after %s", took)
					}
				})
			})
		}
	}
}

// TestProjectPassesAHeldTask: project-level events pass a refused task within 2 minutes, as
// later events of any task pass a refused project-level event. The task's own later events
// stay behind it.
func TestProjectPassesAHeldTask(t *testing.T) {
	for _, fate := range fates {
		for _, task := range []int64{7, 0} {
			t.Run(fmt.Sprintf("%s/%d", fate, task), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPoison()
					b := newBench(t, Options{Store: newFakeStore()}, p.round, dispatchtest.HookRow(1, "http://x/"))
					p.set(task, fate)
					p.send(t, b.Dispatcher, 0, task)
					own := p.send(t, b.Dispatcher, 1, task)
					var ids []string
					for n := range 20 {
						other := int64(n % 3)
						if other == task {
							other = 5
						}
						ids = append(ids, p.send(t, b.Dispatcher, 2+n, other))
					}
					<-time.After(2 * time.Minute)
					for n, id := range ids {
						if _, ok := p.waited(id); !ok {
							t.Errorf("event %d did not pass within 2 minutes", n+2)
						}
					}
					p.set(task, "")
					p.send(t, b.Dispatcher, 100, 9)
					b.Retry(1)
					<-time.After(time.Second)
					if _, ok := p.waited(own); !ok {
						t.Error("the held task is not delivered when its receiver takes it")
					}
					if !slices.IsSortedFunc(p.order, func(a, b string) int {
						if p.task[a] != p.task[b] {
							return 0
						}
						return p.made[a].Compare(p.made[b])
					}) {
						t.Errorf("arrived as %v", p.order)
					}
				})
			})
		}
	}
}

// TestRecoveryIsNoticed: within 10 s of the next event; without an event within a minute in
// the first hour and within 5 minutes later; immediately after `hooks retry` or a restart.
func TestRecoveryIsNoticed(t *testing.T) {
	for _, outage := range []time.Duration{10 * time.Second, 50 * time.Minute, 3 * time.Hour} {
		for by, within := range map[string]time.Duration{"itself": 5 * time.Minute, "event": 10 * time.Second, "retry": time.Second, "restart": 2 * time.Second} {
			if by == "itself" && outage < time.Hour {
				within = time.Minute
			}
			for _, tasks := range []int{1, 3, 100} {
				t.Run(fmt.Sprintf("%s/%s/%d", outage, by, tasks), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p, store := newPoison(), newFakeStore()
						b := newBench(t, Options{Store: store}, p.round, dispatchtest.HookRow(1, "http://x/"))
						p.turn(true)
						for n := range tasks {
							p.send(t, b.Dispatcher, n, int64(n+1))
						}
						<-time.After(outage)
						p.most()
						<-time.After(time.Second)
						if n := p.most(); tasks >= failedTasks && n > 1 {
							t.Errorf("%d probes at once", n)
						}
						p.turn(false)
						well := time.Now()
						switch by {
						case "event":
							p.send(t, b.Dispatcher, 1000, 1000)
						case "retry":
							b.Retry(1)
						case "restart":
							b.Close()
							b = newBench(t, Options{Store: store}, p.round, dispatchtest.HookRow(1, "http://x/"))
							backlogs, _ := store.backlogs(t.Context())
							b.Restore(backlogs, nil)
						}
						for p.arrivals() == 0 && time.Since(well) < 2*time.Hour {
							<-time.After(100 * time.Millisecond)
						}
						if took := time.Since(well); took > within {
							t.Errorf("noticed after %s", took)
						}
						<-time.After(30 * time.Second)
						if n := store.size(); n > 0 {
							t.Errorf("%d are still parked 30 s later", n)
						}
					})
				})
			}
		}
	}
}
