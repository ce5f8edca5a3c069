package mapping

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
)

// Metrics counts what the package reads and makes. A nil *Metrics counts nothing.
type Metrics struct {
	events     map[Action]prometheus.Counter
	custom     func(label string) prometheus.Counter
	forged     prometheus.Counter
	changes    [tables][4]prometheus.Counter // by table and operation
	unroutable [tables]prometheus.Counter
	gone       [tables]prometheus.Counter
	omitted    prometheus.Counter
	settling   [3]prometheus.Counter // by the cause: bound, at once, recognized end
}

// actions are the actions of both profiles.
var actions = [...]Action{
	ProjectCreated, ProjectUpdated, ProjectDeleted, TaskCreated, TasksCreated, TasksDeleted,
	AnnotationCreated, AnnotationsCreated, AnnotationUpdated, AnnotationsDeleted,
}

// customLabels is the number of other actions with their own label, once they have an
// event: 50 custom ones, and the two of hooktail. The rest share one.
const customLabels = 52

var operations = [...]cdc.Op{cdc.Insert, cdc.Update, cdc.Delete, cdc.Truncate}

// NewMetrics registers the package's metrics, with every label value at zero.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(c)
		return c
	}
	events := counters("hooktail_events_total", "Events made from committed changes.", "action")
	changes := counters("hooktail_changes_total", "Row changes read; other tables of the publication share one label.", "table", "op")
	unroutable := counters("hooktail_unroutable_total", "Rows and custom events (other) that no hook gets because their project is unknown.", "table")
	gone := counters("hooktail_gone_total", "Rows that a payload lacks: deleted before they were read, or not returned by the database.", "kind")
	m := &Metrics{
		events: map[Action]prometheus.Counter{},
		custom: func(label string) prometheus.Counter { return events.WithLabelValues(label) },
		forged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hooktail_forged_messages_total",
			Help: "Logical messages that imitate custom events but were not written by the function emit; they make no events.",
		}),
	}
	reg.MustRegister(m.forged)
	m.omitted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hooktail_omitted_columns_total",
		Help: "Columns omitted from a payload because their value is no longer in the WAL or in the table.",
	})
	reg.MustRegister(m.omitted)
	settled := counters("hooktail_settled_total", "Events that waited for the end of the user's action, by the cause that ended the wait.", "by")
	for i, by := range []string{"bound", "at_once", "end"} {
		m.settling[i] = settled.WithLabelValues(by)
	}
	for _, a := range actions {
		m.events[a] = events.WithLabelValues(string(a))
	}
	for t := other; t < tables; t++ {
		for i, op := range operations {
			m.changes[t][i] = changes.WithLabelValues(t.String(), op.String())
		}
		m.unroutable[t] = unroutable.WithLabelValues(t.String())
		if t != other {
			m.gone[t] = gone.WithLabelValues(t.String())
		}
	}
	return m
}

func (m *Metrics) change(t table, op cdc.Op) {
	if m == nil {
		return
	}
	for i := range operations {
		if operations[i] == op {
			m.changes[t][i].Inc()
		}
	}
}

func (m *Metrics) made(events []*Event) {
	if m == nil {
		return
	}
	for _, e := range events {
		m.of(e.Action).Inc()
	}
}

// of returns the counter of the action's events.
func (m *Metrics) of(a Action) prometheus.Counter {
	counter := m.events[a]
	if counter == nil {
		label := string(a)
		if len(m.events) >= len(actions)+customLabels && a.IsCustom() {
			return m.custom("other")
		}
		counter = m.custom(label)
		m.events[a] = counter
	}
	return counter
}

// Forged counts a message that imitates a custom event.
func (m *Metrics) Forged() {
	if m != nil {
		m.forged.Inc()
	}
}

func (m *Metrics) lost(t table) {
	if m != nil {
		m.unroutable[t].Inc()
	}
}

func (m *Metrics) settled(by ending) {
	if m != nil {
		m.settling[min(by, saved)].Inc()
	}
}

func (m *Metrics) vanished(t table) {
	if m != nil {
		m.gone[t].Inc()
	}
}

func (m *Metrics) leftOut(columns int) {
	if m != nil && columns > 0 {
		m.omitted.Add(float64(columns))
	}
}
