package mapping

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/hooktail/hooktail/cdc"
)

// Metrics counts what the package reads and makes.
type Metrics struct {
	made       *prometheus.CounterVec // by action
	events     map[Action]prometheus.Counter
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

// NewMetrics registers the package's metrics, with every label value at zero; a nil
// registerer leaves them unregistered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return promauto.With(reg).NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	changes := counters("hooktail_changes_total", "Row changes read; other tables of the publication share one label.", "table", "op")
	unroutable := counters("hooktail_unroutable_total", "Rows and custom events (other) that no hook gets because their project is unknown.", "table")
	gone := counters("hooktail_gone_total", "Rows that a payload lacks: deleted before they were read, or not returned by the database.", "kind")
	settled := counters("hooktail_settled_total", "Events that waited for the end of the user's action, by the cause that ended the wait.", "by")
	m := &Metrics{
		made:    counters("hooktail_events_total", "Events made from committed changes.", "action"),
		events:  map[Action]prometheus.Counter{},
		forged:  counters("hooktail_forged_messages_total", "Logical messages that imitate custom events but were not written by the function emit; they make no events.").WithLabelValues(),
		omitted: counters("hooktail_omitted_columns_total", "Columns omitted from a payload because their value is no longer in the WAL or in the table.").WithLabelValues(),
	}
	for i, by := range []string{"bound", "at_once", "end"} {
		m.settling[i] = settled.WithLabelValues(by)
	}
	for _, a := range actions {
		m.events[a] = m.made.WithLabelValues(string(a))
	}
	for t := range tables {
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
	if i := slices.Index(operations[:], op); i >= 0 {
		m.changes[t][i].Inc()
	}
}

func (m *Metrics) of(a Action) prometheus.Counter {
	counter := m.events[a]
	if counter == nil {
		if len(m.events) >= len(actions)+customLabels && a.IsCustom() {
			return m.made.WithLabelValues("other")
		}
		counter = m.made.WithLabelValues(string(a))
		m.events[a] = counter
	}
	return counter
}

// Forged counts a message that imitates a custom event.
func (m *Metrics) Forged() { m.forged.Inc() }
