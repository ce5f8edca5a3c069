package dispatch

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/hooktail/hooktail/mapping"
)

// maxLabels is how many hooks are counted by id; what comes later counts as
// "other".
const maxLabels = 200

// outcome is what became of a delivery, as a metric label.
type outcome uint8

const (
	delivered outcome = iota
	retried           // counted each time that it is put off
	parked            // stored, whatever becomes of it later
	dead
	outcomes
)

var outcomeLabels = [outcomes]string{"delivered", "retried", "parked", "dead"}

// State is the value of hooktail_hook_state.
type State int

// The states; those from StateFailing on want to be looked at.
const (
	StateInactive  State = iota // switched off in its row
	StateLive                   // in order, as far as known
	StateFailing                // every attempt fails: one at a time is made
	StateWaiting                // the receiver asked for a pause (Retry-After)
	StateStopped                // the receiver answered 410: nothing until the row changes
	StateRefused                // the row's URL or headers cannot be used
	StatePaused                 // by a person: everything is parked
	StateSuspended              // too much is parked for it: nothing more is taken on
)

// Metrics counts deliveries and attempts. A nil *Metrics counts nothing. It is
// safe for concurrent use.
type Metrics struct {
	deliveries *prometheus.CounterVec
	attempts   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	commit     *prometheus.HistogramVec
	state      *prometheus.GaugeVec
	parked     *prometheus.GaugeVec
	dead       *prometheus.GaugeVec
	oldest     *prometheus.GaugeVec

	mu    sync.Mutex
	hooks map[int64]*hookMetrics
	other *hookMetrics
}

// NewMetrics registers the metrics at reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	return &Metrics{
		deliveries: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hooktail_deliveries_total",
			Help: "Deliveries by what became of them; retried counts each time one was put off.",
		}, []string{"hook", "action", "outcome"}),
		attempts: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hooktail_delivery_attempts_total",
			Help: "Requests by what became of them.",
		}, []string{"hook", "result"}),
		seconds: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hooktail_delivery_attempt_seconds",
			Help:    "Duration of requests.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"hook"}),
		commit: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hooktail_commit_to_delivery_seconds",
			Help:    "Time from the commit of a change to its delivery.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600},
		}, []string{"hook"}),
		state: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hooktail_hook_state",
			Help: "0 inactive, 1 live, 2 failing, 3 waiting as the receiver asked, 4 stopped by a 410, 5 refused for its URL, headers or secret, 6 paused, 7 suspended since too much is parked.",
		}, []string{"hook"}),
		parked: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hooktail_parked",
			Help: "Deliveries in the store that will be tried again.",
		}, []string{"hook"}),
		dead: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hooktail_dead",
			Help: "Deliveries in the store that wait for a person.",
		}, []string{"hook"}),
		oldest: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hooktail_oldest_parked_seconds",
			Help: "Age of the oldest parked delivery since its commit; 0: nothing is parked.",
		}, []string{"hook"}),
		hooks: make(map[int64]*hookMetrics),
	}
}

// hook is the hook's part of the metrics.
func (m *Metrics) hook(id int64) *hookMetrics {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, ok := m.hooks[id]; ok {
		return h
	}
	if len(m.hooks) < maxLabels {
		label := strconv.FormatInt(id, 10)
		h := m.newHook(label)
		h.state = m.state.WithLabelValues(label)
		h.parked, h.dead, h.oldest = m.parked.WithLabelValues(label), m.dead.WithLabelValues(label), m.oldest.WithLabelValues(label)
		m.hooks[id] = h
		return h
	}
	if m.other == nil {
		m.other = m.newHook("other")
	}
	return m.other
}

// forget removes the hook's part.
func (m *Metrics) forget(id int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.hooks[id]; !ok {
		return
	}
	delete(m.hooks, id)
	labels := prometheus.Labels{"hook": strconv.FormatInt(id, 10)}
	m.deliveries.DeletePartialMatch(labels)
	m.attempts.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.commit.DeletePartialMatch(labels)
	m.state.DeletePartialMatch(labels)
	m.parked.DeletePartialMatch(labels)
	m.dead.DeletePartialMatch(labels)
	m.oldest.DeletePartialMatch(labels)
}

// hookMetrics holds the children of one hook, so that counting looks up no
// labels. A nil *hookMetrics counts nothing.
type hookMetrics struct {
	label    string
	metrics  *Metrics
	attempts [results]prometheus.Counter
	seconds  prometheus.Observer
	commit   prometheus.Observer

	state, parked, dead, oldest prometheus.Gauge // nil for "other"

	mu         sync.RWMutex
	deliveries map[mapping.Action]*[outcomes]prometheus.Counter
}

func (m *Metrics) newHook(label string) *hookMetrics {
	h := &hookMetrics{
		label: label, metrics: m,
		seconds:    m.seconds.WithLabelValues(label),
		commit:     m.commit.WithLabelValues(label),
		deliveries: make(map[mapping.Action]*[outcomes]prometheus.Counter),
	}
	for result := range results {
		h.attempts[result] = m.attempts.WithLabelValues(label, result.String())
	}
	return h
}

// begin lets what the hook wants start at 0, and its state be what its row says.
func (h *hookMetrics) begin(hook *Hook, all []mapping.Action) {
	if h == nil {
		return
	}
	actions := hook.Actions
	if hook.AllActions {
		actions = all
	}
	for _, action := range actions {
		h.action(action)
	}
	switch {
	case !hook.served:
		h.enter(StateInactive)
	case hook.Refused != ReasonNone:
		h.enter(StateRefused)
	default:
		h.enter(StateLive)
	}
}

func (h *hookMetrics) action(action mapping.Action) *[outcomes]prometheus.Counter {
	h.mu.RLock()
	counters := h.deliveries[action]
	h.mu.RUnlock()
	if counters != nil {
		return counters
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if counters = h.deliveries[action]; counters == nil {
		counters = new([outcomes]prometheus.Counter)
		for o := range outcomes {
			counters[o] = h.metrics.deliveries.WithLabelValues(h.label, string(action), outcomeLabels[o])
		}
		h.deliveries[action] = counters
	}
	return counters
}

func (h *hookMetrics) count(action mapping.Action, o outcome) {
	if h != nil {
		h.action(action)[o].Inc()
	}
}

func (h *hookMetrics) attempt(o Outcome) {
	if h != nil {
		h.attempts[o.Result].Inc()
		h.seconds.Observe(o.Took.Seconds())
	}
}

func (h *hookMetrics) latency(d time.Duration) {
	if h != nil {
		h.commit.Observe(d.Seconds())
	}
}

func (h *hookMetrics) enter(s State) {
	if h != nil && h.state != nil {
		h.state.Set(float64(s))
	}
}

// backlog says how many rows there are.
func (h *hookMetrics) backlog(parked, dead int) {
	if h != nil && h.parked != nil {
		h.parked.Set(float64(parked))
		h.dead.Set(float64(dead))
	}
}

// age says how old the oldest parked delivery is.
func (h *hookMetrics) age(d time.Duration) {
	if h != nil && h.oldest != nil {
		h.oldest.Set(d.Seconds())
	}
}
