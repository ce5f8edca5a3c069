package dispatch

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
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
	filtered // excluded by the hook's filter; the last, as its series only exists after the first one
	outcomes
)

var outcomeLabels = [outcomes]string{"delivered", "retried", "parked", "dead", "filtered"}

// Metrics counts deliveries and attempts. A nil *Metrics counts nothing. It is
// safe for concurrent use.
//
// Its counters are numbers, of which a scrape makes metrics: those of two hundred hooks as
// Prometheus' counters are 4 MB, which the garbage collector would scan each time.
type Metrics struct {
	seconds *prometheus.HistogramVec
	commit  *prometheus.HistogramVec
	actions actionLabels

	mu     sync.Mutex
	hooks  map[int64]*hookMetrics
	labels int       // number of hooks with their own label
	others *counters // nil: none so far
}

// NewMetrics registers the metrics with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	auto := promauto.With(reg)
	m := &Metrics{
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
		actions: actionLabels{
			own:    slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions(), []mapping.Action{"TASK_DELETED", mapping.TaskCompleted, mapping.TaskReopened}),
			custom: make(map[mapping.Action]bool),
		},
		hooks: make(map[int64]*hookMetrics),
	}
	if reg != nil {
		reg.MustRegister(newCollector(m))
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
	metrics.enter(StateOf(hook))
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
	m.seconds.DeleteLabelValues(h.label)
	m.commit.DeleteLabelValues(h.label)
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

// counters count for one label.
type counters struct {
	label          string
	actions        *actionLabels
	attempts       [send.Results]atomic.Uint64
	filterFailures atomic.Uint64
	seconds        prometheus.Observer
	commit         prometheus.Observer

	mu         sync.RWMutex
	deliveries map[mapping.Action]*[outcomes]atomic.Uint64
}

func (m *Metrics) newCounters(label string) *counters {
	return &counters{
		label: label, actions: &m.actions,
		seconds:    m.seconds.WithLabelValues(label),
		commit:     m.commit.WithLabelValues(label),
		deliveries: make(map[mapping.Action]*[outcomes]atomic.Uint64),
	}
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

func (c *counters) action(action mapping.Action) *[outcomes]atomic.Uint64 {
	c.mu.RLock()
	counts := c.deliveries[action]
	c.mu.RUnlock()
	if counts != nil {
		return counts
	}
	action = c.actions.of(action)
	c.mu.Lock()
	defer c.mu.Unlock()
	if counts = c.deliveries[action]; counts == nil {
		counts = new([outcomes]atomic.Uint64)
		c.deliveries[action] = counts
	}
	return counts
}

func (h *hookMetrics) count(action mapping.Action, o outcome) {
	if h != nil {
		h.action(action)[o].Add(1)
	}
}

func (h *hookMetrics) attempt(o *send.Outcome) {
	if h != nil {
		h.attempts[o.Result].Add(1)
		h.seconds.Observe(o.Took.Seconds())
	}
}

func (h *hookMetrics) latency(d time.Duration) {
	if h != nil {
		h.commit.Observe(d.Seconds())
	}
}

// Filtered counts a delivery that the hook's filter excludes.
func (m *Metrics) Filtered(hook int64, action mapping.Action) { m.of(hook).count(action, filtered) }

// FilterFailed counts an event for which the hook's filter failed.
func (m *Metrics) FilterFailed(hook int64) {
	if h := m.of(hook); h != nil {
		h.filterFailures.Add(1)
	}
}
