package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// State is the value of hooktail_hook_state.
type State int

// The states; those from StateFailing on want to be looked at.
const (
	StateInactive  State = iota // switched off in its row: what it has is held
	StateLive                   // in order, as far as known
	StateFailing                // three tasks or more have failed and none has succeeded: one request at a time
	StateWaiting                // the receiver asked for a pause (Retry-After)
	StateStopped                // the receiver answered 410: nothing until the row changes
	StateRefused                // the row's URL or headers cannot be used
	StatePaused                 // by a person: everything is parked
	StateSuspended              // too much is parked for it: nothing more is taken on
)

// stateOf is what the hook's row says.
func stateOf(h *hook.Hook) State {
	switch {
	case h.Refused == hook.BadRow:
		return StateRefused
	case !h.Served():
		return StateInactive
	case h.IsRefused():
		return StateRefused
	default:
		return StateLive
	}
}

// gauge is how things stand with one hook.
type gauge struct {
	state, parked, dead, oldest atomic.Int64 // the last in nanoseconds
}

func (h *hookMetrics) enter(s State) {
	if h != nil {
		h.state.Store(int64(s))
	}
}

// backlog says how many rows there are.
func (h *hookMetrics) backlog(parked, dead int) {
	if h != nil {
		h.parked.Store(int64(parked))
		h.dead.Store(int64(dead))
	}
}

// age says how old the oldest parked delivery is.
func (h *hookMetrics) age(d time.Duration) {
	if h != nil {
		h.oldest.Store(int64(d))
	}
}

// Rest lets the gauges of an instance that does not deliver any more be 0; what was
// counted stays.
func (m *Metrics) Rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hooks {
		h.enter(StateInactive)
		h.backlog(0, 0)
		h.age(0)
	}
}

// reading is what is shown of a gauge.
type reading struct{ state, parked, dead, oldest int64 }

func (g *gauge) read() reading {
	return reading{g.state.Load(), g.parked.Load(), g.dead.Load(), g.oldest.Load()}
}

// and is what is shown of two hooks that have one label: their rows together, and
// the highest state and age of theirs.
func (r reading) and(o reading) reading {
	return reading{max(r.state, o.state), r.parked + o.parked, r.dead + o.dead, max(r.oldest, o.oldest)}
}

// gauges shows the hooks' gauges when they are asked for.
type gauges struct {
	metrics                     *Metrics
	state, parked, dead, oldest *prometheus.Desc
}

func newGauges(m *Metrics) *gauges {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"hook"}, nil)
	}
	return &gauges{
		metrics: m,
		state:   desc("hooktail_hook_state", "0 inactive, 1 live, 2 failing, 3 waiting as the receiver asked, 4 stopped by a 410, 5 refused for its URL, headers or secret, 6 paused, 7 suspended because its parked deliveries reached the bound."),
		parked:  desc("hooktail_parked", "Deliveries in the store that will be tried again."),
		dead:    desc("hooktail_dead", "Deliveries in the store that wait for a person."),
		oldest:  desc("hooktail_oldest_parked_seconds", "Age of the oldest parked delivery since its commit; 0: nothing is parked."),
	}
}

// Describe is for a prometheus.Registerer.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{g.state, g.parked, g.dead, g.oldest} {
		out <- desc
	}
}

// Collect is for a prometheus.Registerer.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	for label, r := range g.metrics.readings() {
		for desc, value := range map[*prometheus.Desc]float64{
			g.state: float64(r.state), g.parked: float64(r.parked), g.dead: float64(r.dead), g.oldest: time.Duration(r.oldest).Seconds(),
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, label)
		}
	}
}

// readings is what is shown, by label.
func (m *Metrics) readings() map[string]reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	byLabel := make(map[string]reading, m.labels+1)
	for _, h := range m.hooks {
		byLabel[h.label] = byLabel[h.label].and(h.read())
	}
	return byLabel
}
