package dispatch

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// plan is a random history of one hook, and of the process.
type plan struct {
	events   []plannedEvent
	outages  []time.Duration // begin and end of each, one after the other
	steps    map[int]string  // what happens before that event is enqueued
	maxBytes int64
	latency  time.Duration // of the receiver
	storing  time.Duration // what each call takes
	faults   []int         // of the store, one batch after the other
}

type plannedEvent struct {
	project, task int64
	fails         int           // so many attempts
	status        int           // with that
	gap           time.Duration // to the next one
}

func drawPlan(t *rapid.T) plan {
	p := plan{
		steps:    make(map[int]string),
		maxBytes: rapid.SampledFrom([]int64{3000, 20_000, 1 << 20}).Draw(t, "maxBytes"),
		latency:  rapid.SampledFrom([]time.Duration{0, time.Millisecond, 100 * time.Millisecond}).Draw(t, "latency"),
		storing:  rapid.SampledFrom([]time.Duration{0, 3 * time.Millisecond, 500 * time.Millisecond}).Draw(t, "store"),
		faults:   rapid.SliceOfN(rapid.SampledFrom([]int{noFault, noFault, noFault, notMade, notHeard}), 0, 30).Draw(t, "faults"),
	}
	n := rapid.IntRange(1, 150).Draw(t, "events")
	for i := range n {
		p.events = append(p.events, plannedEvent{
			project: rapid.Int64Range(1, 2).Draw(t, "project"),
			task:    rapid.SampledFrom([]int64{0, 1, 1, 2, 2, 3, 3, 4, 5, 6}).Draw(t, "task"),
			fails:   rapid.SampledFrom([]int{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 8}).Draw(t, "fails"),
			status:  500,
			gap:     rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 50 * time.Millisecond, 3 * time.Second}).Draw(t, "gap"),
		})
		if step := rapid.SampledFrom([]string{"", "", "", "", "", "", "", "", "", "", "stop", "crash", "pause", "resume", "overflow", "settle", "rewind", "rewind"}).Draw(t, "step"); step != "" {
			p.steps[i] = step
		}
	}
	at := time.Duration(0)
	for range 2 * rapid.IntRange(0, 2).Draw(t, "outages") {
		at += rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Second, time.Minute}).Draw(t, "outage")
		p.outages = append(p.outages, at)
	}
	return p
}

// history plays a plan and records violations of the promises.
type history struct {
	plan
	store *fakeStore
	hooks *hook.Set
	begun time.Time
	d     *Dispatcher
	cut   *bool // of the present process: it has crashed

	mu        sync.Mutex
	attempts  map[int]int
	first     map[int]time.Time // attempt
	at        map[int]time.Time // of the last arrival
	passed    map[[2]int]bool   // the first was held when the second was sent
	arrivals  []int
	delivered map[int]int  // how often
	done      map[int]bool // by any of the processes
	crashed   bool
	wrong     []string
}

func (h *history) fault(format string, args ...any) {
	h.wrong = append(h.wrong, fmt.Sprintf(format, args...))
}

// receive is the hook's receiver.
func (h *history) receive(r *http.Request) (*http.Response, error) {
	n := h.number(r.Header["webhook-id"][0]) //nolint:staticcheck // written as on the wire
	h.mu.Lock()
	for earlier := range n {
		switch {
		case !h.concern(earlier, n) || h.delivered[earlier] > 0:
		case h.passed[[2]int{earlier, n}]: // and that one may be done at this very moment
		case h.events[earlier].task != h.events[n].task && h.isRefused(earlier):
			h.passed[[2]int{earlier, n}] = true
		default:
			h.fault("event %d was sent before %d", n, earlier)
		}
	}
	if h.attempts[n]++; h.attempts[n] == 1 {
		h.first[n] = time.Now()
	}
	ok := h.attempts[n] > h.events[n].fails && !h.isDown(time.Since(h.begun))
	h.mu.Unlock()
	time.Sleep(h.latency) //nolint:forbidigo // of the bubble
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !ok {
		return dispatchtest.Answer(h.events[n].status), nil
	}
	h.delivered[n]++
	h.at[n] = time.Now()
	h.arrivals = append(h.arrivals, n)
	return dispatchtest.Answer(200), nil
}

// concern reports whether one of the events must wait for the other.
func (h *history) concern(n, m int) bool {
	a, b := h.events[n], h.events[m]
	return a.project == b.project && (a.task == b.task || a.task == 0 || b.task == 0)
}

// isRefused reports whether the first undelivered event of the task has been refused often
// and long enough for other tasks to pass it.
func (h *history) isRefused(n int) bool {
	for head := range n + 1 {
		if h.events[head].project == h.events[n].project && h.events[head].task == h.events[n].task &&
			(h.delivered[head] == 0 || h.at[head].Equal(time.Now())) { // the lane may not know yet
			return h.attempts[head] >= heldAttempts && time.Since(h.first[head]) >= heldFor
		}
	}
	return false
}

// inOrder checks that of any two events that concern each other the later one arrived
// last, unless it has passed the other.
func (h *history) inOrder() {
	last := make(map[int]int)
	for i, n := range h.arrivals {
		last[n] = i
	}
	for n := range h.events {
		for m := range n {
			if h.concern(m, n) && last[m] > last[n] && !h.passed[[2]int{m, n}] {
				h.fault("event %d arrived last after %d", m, n)
			}
		}
	}
}

func (h *history) number(id string) int {
	var n int
	if _, err := fmt.Sscanf(id[strings.LastIndexByte(id, '-'):], "-%d", &n); err != nil {
		panic(err)
	}
	return n
}

func (h *history) isDown(at time.Duration) bool {
	for i := 0; i+1 < len(h.outages); i += 2 {
		if at >= h.outages[i] && at < h.outages[i+1] {
			return true
		}
	}
	return false
}

// process is a Store that fails after its process has crashed.
type process struct {
	*fakeStore
	mu  *sync.Mutex
	cut *bool
}

func (p process) Apply(ctx context.Context, b state.Batch) error {
	p.mu.Lock()
	cut := *p.cut
	p.mu.Unlock()
	if cut {
		return errAway
	}
	return p.fakeStore.Apply(ctx, b)
}

// start starts a process.
func (h *history) start() {
	h.cut = new(bool)
	h.d = New(Options{
		Hooks: h.hooks, Sender: send.New(send.Options{Transport: dispatchtest.Transport(h.receive), Timeout: 10 * time.Second}),
		Store: process{h.store, &h.mu, h.cut}, MaxBytes: h.maxBytes, Retry: Policy{Cap: 10 * time.Second}, Log: (&dispatchtest.Log{}).Logger(),
	})
	h.d.Passed(h.position(h.confirmed()))
	backlogs, _ := h.store.backlogs(context.Background())
	h.d.Restore(backlogs, nil)
}

// enqueue adds the events of the stream.
func (h *history) enqueue(ctx context.Context, n int) error {
	e := dispatchtest.Event(n, h.events[n].task)
	e.Project, e.ID.Commit = h.events[n].project, h.position(n)
	cut := h.cut
	return h.d.Enqueue(ctx, []Delivery{deliveryTo(1, e, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !*cut {
			h.done[n] = true
		}
	})})
}

// position returns the commit of the event.
func (h *history) position(n int) cdc.LSN { return dispatchtest.Event(n, 0).ID.Commit + cdc.LSN(n) }

// confirmed returns the first event that the slot repeats.
func (h *history) confirmed() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n := range h.events {
		if !h.done[n] {
			return n
		}
	}
	return len(h.events)
}

// restart ends the process, gracefully or not, and returns where the stream begins again.
func (h *history) restart(inOrder bool) int {
	if inOrder {
		h.d.Hasten()
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		_ = h.d.Drain(grace) // what is not is parked
		cancel()
		if err := h.d.Park(context.Background()); err != nil {
			h.fault("park: %v", err)
		}
	} else {
		h.mu.Lock()
		*h.cut, h.crashed = true, true
		h.mu.Unlock()
	}
	h.d.Close()
	h.start()
	return h.confirmed()
}

func (h *history) play(ctx context.Context) {
	h.start()
	for n := 0; n < len(h.events); n++ {
		step := h.steps[n]
		delete(h.steps, n) // once
		switch step {
		case "stop", "crash":
			n = h.restart(step == "stop")
		case "pause", "resume":
			h.d.Settings([]state.Setting{{Hook: 1, Paused: step == "pause"}})
		case "overflow":
			for _, l := range h.d.lanes {
				l.overflow(0)
			}
		case "rewind": // as when a person has redriven something: the rows are looked at again
			event := dispatchtest.Event(n/2, 0).ID
			event.Commit = h.position(n / 2)
			h.d.Redriven([]state.Row{{Key: state.Key{Hook: 1, Event: event}}})
		case "settle":
			synctest.Wait()
		}
		if n == len(h.events) {
			break
		}
		blocked, cancel := context.WithTimeout(ctx, time.Hour)
		err := h.enqueue(blocked, n)
		if cancel(); err != nil {
			h.d.Settings(nil) // the one that it waits for may be paused
			if err := h.enqueue(ctx, n); err != nil {
				h.fault("enqueue: %v", err)
			}
		}
		time.Sleep(h.events[n].gap) //nolint:forbidigo // of the bubble
		h.d.Passed(h.position(h.confirmed()))
	}
	h.d.Settings(nil)
	deadline := time.Now().Add(24 * time.Hour)
	for len(h.store.list(1, state.Parked)) > 0 || h.confirmed() < len(h.events) {
		if time.Now().After(deadline) {
			h.fault("%d rows are left, the slot is at %d of %d", len(h.store.list(1, state.Parked)), h.confirmed(), len(h.events))
			break
		}
		h.d.Passed(h.position(h.confirmed()))
		time.Sleep(time.Second) //nolint:forbidigo // of the bubble
	}
	h.d.Close()
	h.inOrder()
	for n := range h.events {
		if h.delivered[n] == 0 {
			h.fault("event %d has not been delivered", n)
		}
		if h.delivered[n] > 1 && !h.crashed {
			h.fault("event %d was delivered %d times", n, h.delivered[n])
		}
	}
}

// TestParkingKeepsOrderAndLosesNothing: in every combination of live, stored and
// tail, with a store that fails at times, over stops and crashes, an event is sent
// only after the events that it must wait for, and all are delivered.
func TestParkingKeepsOrderAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{
			plan: drawPlan(rt), store: newFakeStore(), hooks: newTestHooks(t, dispatchtest.HookRow(1, "http://x/")),
			attempts: make(map[int]int), first: make(map[int]time.Time), at: make(map[int]time.Time), passed: make(map[[2]int]bool), delivered: make(map[int]int), done: make(map[int]bool),
		}
		h.store.takes = h.storing
		faults := h.faults
		h.store.faults = func(int) int {
			if len(faults) == 0 {
				return noFault
			}
			fault := faults[0]
			faults = faults[1:]
			return fault
		}
		synctest.Test(t, func(t *testing.T) {
			h.begun = time.Now()
			h.play(t.Context())
		})
		if len(h.wrong) > 0 {
			rt.Fatalf("%s\n(and %d more)", h.wrong[0], len(h.wrong)-1)
		}
	})
}
