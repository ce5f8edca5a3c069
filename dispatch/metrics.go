package dispatch

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

// maxLabels is the number of hooks counted by id; later ones count as "other", as long as
// they exist.
const maxLabels = 200

const other = "other"

// outcome is the outcome of a delivery, as a metric label.
type outcome uint8

const (
	delivered outcome = iota
	retried           // counted each time it is postponed
	parked            // stored, whatever happens later
	dead
	outcomes
)

var outcomeLabels = [outcomes]string{"delivered", "retried", "parked", "dead"}

// Metrics counts deliveries and attempts. A nil *Metrics counts nothing. It is
// safe for concurrent use.
type Metrics struct {
	deliveries     *prometheus.CounterVec
	filterFailures *prometheus.CounterVec
	attempts       *prometheus.CounterVec
	seconds        *prometheus.HistogramVec
	commit         *prometheus.HistogramVec
	actions        actionLabels

	mu     sync.Mutex
	hooks  map[int64]*hookMetrics
	labels int       // number of hooks with their own label
	others *counters // nil: none so far
}

// NewMetrics registers the metrics with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	m := &Metrics{
		deliveries: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hooktail_deliveries_total",
			Help: "Deliveries by outcome; retried counts postponements, filtered counts deliveries that filters exclude.",
		}, []string{"hook", "action", "outcome"}),
		attempts: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hooktail_delivery_attempts_total",
			Help: "Requests by result.",
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
		filterFailures: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "hooktail_filter_failures_total",
			Help: "Events for which a hook's filter failed, which are delivered.",
		}, []string{"hook"}),
		actions: actionLabels{
			own:    slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions(), []mapping.Action{"TASK_DELETED", mapping.TaskCompleted, mapping.TaskReopened}),
			custom: make(map[mapping.Action]bool),
		},
		hooks: make(map[int64]*hookMetrics),
	}
	if reg != nil {
		reg.MustRegister(newGauges(m))
	}
	return m
}

func (m *Metrics) hook(id int64) *hookMetrics {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if h, ok := m.hooks[id]; ok {
		return h
	}
	c := m.others
	if m.labels < maxLabels {
		m.labels++
		c = m.newCounters(strconv.FormatInt(id, 10))
	} else if c == nil {
		c = m.newCounters(other)
		m.others = c
	}
	h := &hookMetrics{counters: c}
	m.hooks[id] = h
	return h
}

// Begin starts the counters of the hook's actions at 0, and sets its state according to
// its row; a lane sets it more precisely.
func (m *Metrics) Begin(hook *hook.Hook, all []mapping.Action) {
	metrics := m.hook(hook.ID)
	metrics.begin(hook, all)
	metrics.enter(stateOf(hook))
}

// Forget removes the metrics of the hook. Later counts of it are dropped.
func (m *Metrics) Forget(id int64) {
	if m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.forget(id)
	}
}

// Keep removes the metrics of all other hooks.
func (m *Metrics) Keep(hooks map[int64]*hook.Hook) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.hooks {
		if hooks[id] == nil {
			m.forget(id)
		}
	}
}

// forget needs mu.
func (m *Metrics) forget(id int64) {
	h, ok := m.hooks[id]
	if !ok {
		return
	}
	delete(m.hooks, id)
	if h.counters == m.others {
		return
	}
	m.labels--
	h.mu.Lock()
	h.detached = true
	h.mu.Unlock()
	labels := prometheus.Labels{"hook": h.label}
	m.deliveries.DeletePartialMatch(labels)
	m.attempts.DeletePartialMatch(labels)
	m.seconds.DeletePartialMatch(labels)
	m.commit.DeletePartialMatch(labels)
	m.filterFailures.DeletePartialMatch(labels)
}

// of returns the metrics of an existing hook. Counts of other hooks are dropped, so that
// what ends after a hook was deleted does not restore its series.
func (m *Metrics) of(id int64) *hookMetrics {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hooks[id]
}

// hookMetrics counts for one hook. A nil *hookMetrics counts nothing.
type hookMetrics struct {
	*counters
	gauge
}

// counters holds the children of one label, so that counting needs no look-up.
type counters struct {
	label    string
	metrics  *Metrics
	attempts [send.Results]prometheus.Counter
	seconds  prometheus.Observer
	commit   prometheus.Observer

	mu         sync.RWMutex
	deliveries map[mapping.Action]*[outcomes]prometheus.Counter
	filtered   map[mapping.Action]prometheus.Counter
	detached   bool // the hook is gone: no new series
}

func (m *Metrics) newCounters(label string) *counters {
	c := &counters{
		label: label, metrics: m,
		seconds:    m.seconds.WithLabelValues(label),
		commit:     m.commit.WithLabelValues(label),
		deliveries: make(map[mapping.Action]*[outcomes]prometheus.Counter),
		filtered:   make(map[mapping.Action]prometheus.Counter),
	}
	for result := range send.Results {
		c.attempts[result] = m.attempts.WithLabelValues(label, result.String())
	}
	return c
}

// begin starts the counters of the hook's actions at 0.
func (h *hookMetrics) begin(hook *hook.Hook, all []mapping.Action) {
	if h == nil {
		return
	}
	if hook.Choice != nil {
		all = slices.Concat(all, hook.Choice.Added)
	}
	for _, action := range all {
		if spelt, ok := hook.Wants(action); ok {
			h.action(spelt)
		}
	}
}

func (c *counters) action(action mapping.Action) *[outcomes]prometheus.Counter {
	c.mu.RLock()
	counters := c.deliveries[action]
	c.mu.RUnlock()
	if counters != nil {
		return counters
	}
	action = c.metrics.actions.of(action)
	c.mu.Lock()
	defer c.mu.Unlock()
	if counters = c.deliveries[action]; counters == nil {
		counters = new([outcomes]prometheus.Counter)
		for o := range outcomes {
			if c.detached {
				counters[o] = prometheus.NewCounter(prometheus.CounterOpts{})
			} else {
				counters[o] = c.metrics.deliveries.WithLabelValues(c.label, string(action), outcomeLabels[o])
			}
		}
		c.deliveries[action] = counters
	}
	return counters
}

func (h *hookMetrics) count(action mapping.Action, o outcome) {
	if h != nil {
		h.action(action)[o].Inc()
	}
}

func (h *hookMetrics) attempt(o *send.Outcome) {
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
