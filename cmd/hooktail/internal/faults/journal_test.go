package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// place is where in the stream an event is from: what its webhook-id says.
type place struct {
	timeline, ordinal int
	commit            uint64
}

func (p place) before(q place) bool {
	return p.commit < q.commit || p.commit == q.commit && p.ordinal < q.ordinal
}

func parsePlace(id string) (p place, err error) {
	_, err = fmt.Sscanf(id, "%d-%X-%d", &p.timeline, &p.commit, &p.ordinal)
	return p, err
}

// delivered is an event of a load that a receiver has taken. A change of the
// project has no task and no number.
type delivered struct {
	place
	id               string
	project, task, n int
	at               time.Time     // of the arrival
	took             time.Duration // of an annotation: from its transaction's begin to the arrival
}

// journal is the receiver of a load: it keeps of each hook which events arrived
// first, in order, and how often one came again. It is safe for concurrent use.
type journal struct {
	url string // of a hook: url + "/" + name

	mu       sync.Mutex
	hooks    map[string]*taken
	answer   func(hook string) int // the status of the next answer; nil: 200
	wait     func(hook string)     // before each answer; nil: none
	requests int
	faults   []string // requests that make no sense
}

// taken is what one hook has got.
type taken struct {
	first  []delivered
	known  map[string]struct{} // webhook-ids
	ofN    map[[2]int]string   // project and number → webhook-id
	last   map[string]arrived  // webhook-id → its last arrival
	order  int                 // of the last arrival of all
	again  []time.Time         // of each request for what had been taken before: when that was
	refuse int                 // answers other than 2xx
}

// arrived is when a request was taken, and the how manieth of its hook it was.
type arrived struct {
	order int
	at    time.Time
}

// newJournal starts a receiver that ends with the test.
func newJournal(t testing.TB) *journal {
	t.Helper()
	j := &journal{hooks: make(map[string]*taken)}
	server := httptest.NewServer(j)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	j.url = server.URL
	return j
}

// answers sets what decides on the answers from now on.
func (j *journal) answers(f func(hook string) int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.answer = f
}

// waits sets what happens before each answer from now on, and before the event is
// noted.
func (j *journal) waits(f func(hook string)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wait = f
}

// ServeHTTP takes one request.
func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	j.mu.Lock()
	wait := j.wait
	j.mu.Unlock()
	if wait != nil {
		if wait(strings.TrimPrefix(r.URL.Path, "/")); r.Context().Err() != nil {
			return // nobody waits for the answer any more
		}
	}
	w.WriteHeader(j.take(strings.TrimPrefix(r.URL.Path, "/"), r.Header.Get("webhook-id"), text))
}

func (j *journal) take(hook, id string, text []byte) (status int) {
	var body struct {
		Action     string
		Project    struct{ ID int }
		Task       struct{ ID int }
		Annotation struct {
			N       int       `json:"result_count"`
			Created time.Time `json:"created_at"`
		}
	}
	err := json.Unmarshal(text, &body)
	at, placeErr := parsePlace(id)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests++
	if err != nil || placeErr != nil {
		j.faults = append(j.faults, fmt.Sprintf("%s: event %q: %v, %v: %.200s", hook, id, err, placeErr, text))
		return http.StatusOK
	}
	h := j.hooks[hook]
	if h == nil {
		h = &taken{known: make(map[string]struct{}), ofN: make(map[[2]int]string), last: make(map[string]arrived)}
		j.hooks[hook] = h
	}
	if j.answer != nil {
		if status := j.answer(hook); status/100 != 2 {
			h.refuse++
			return status
		}
	}
	before := h.last[id]
	h.order++
	h.last[id] = arrived{h.order, time.Now()}
	if _, again := h.known[id]; again {
		h.again = append(h.again, before.at)
		return http.StatusOK
	}
	h.known[id] = struct{}{}
	a := delivered{place: at, id: id, project: body.Project.ID, task: body.Task.ID, n: body.Annotation.N, at: time.Now()}
	if body.Action == "ANNOTATION_CREATED" {
		key := [2]int{a.project, a.n}
		if other, twice := h.ofN[key]; twice {
			j.faults = append(j.faults, fmt.Sprintf("%s: annotation %d of project %d came as event %s and as %s", hook, a.n, a.project, other, id))
		}
		h.ofN[key] = id
		a.took = a.at.Sub(body.Annotation.Created)
	}
	h.first = append(h.first, a)
	return http.StatusOK
}

// count is how many events have arrived at the hook.
func (j *journal) count(hook string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	if h := j.hooks[hook]; h != nil {
		return len(h.first)
	}
	return 0
}

// duplicates is how often an event came again that had been taken, all hooks
// together.
func (j *journal) duplicates() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, h := range j.hooks {
		n += len(h.again)
	}
	return n
}

// all is how many events have arrived, all hooks together.
func (j *journal) all() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, h := range j.hooks {
		n += len(h.first)
	}
	return n
}

// lastOrder is the order of the last arrivals at the hook, by webhook-id.
func (j *journal) lastOrder(hook string) map[string]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	order := make(map[string]int)
	if h := j.hooks[hook]; h != nil {
		for id, a := range h.last {
			order[id] = a.order
		}
	}
	return order
}

// arrivals is a copy of what has arrived at the hook.
func (j *journal) arrivals(hook string) []delivered {
	j.mu.Lock()
	defer j.mu.Unlock()
	if h := j.hooks[hook]; h != nil {
		return append([]delivered(nil), h.first...)
	}
	return nil
}
