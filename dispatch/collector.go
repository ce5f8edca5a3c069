package dispatch

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/dispatch/send"
)

// collector makes the metrics of all hooks at each scrape, but for the histograms.
type collector struct {
	metrics                              *Metrics
	state, parked, dead, oldest          *prometheus.Desc
	deliveries, attempts, filterFailures *prometheus.Desc
}

func newCollector(m *Metrics) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, append([]string{"hook"}, labels...), nil)
	}
	return &collector{
		metrics:        m,
		state:          desc("hooktail_hook_state", "0 inactive, 1 live, 2 failing, 3 waiting at the receiver's request, 4 stopped by a 410, 5 refused for its URL, headers or secret, 6 paused, 7 suspended because its parked deliveries reached the bound."),
		parked:         desc("hooktail_parked", "Deliveries in the store that will be retried."),
		dead:           desc("hooktail_dead", "Deliveries in the store that wait for a person."),
		oldest:         desc("hooktail_oldest_parked_seconds", "Age of the oldest parked delivery since its commit; 0: nothing is parked."),
		deliveries:     desc("hooktail_deliveries_total", "Deliveries by outcome; retried counts postponements, filtered counts deliveries that filters exclude.", "action", "outcome"),
		attempts:       desc("hooktail_delivery_attempts_total", "Requests by result.", "result"),
		filterFailures: desc("hooktail_filter_failures_total", "Events for which a hook's filter failed, which are delivered."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{c.state, c.parked, c.dead, c.oldest, c.deliveries, c.attempts, c.filterFailures} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	for label, r := range c.metrics.readings() {
		for desc, value := range map[*prometheus.Desc]float64{
			c.state: float64(r.state), c.parked: float64(r.parked), c.dead: float64(r.dead), c.oldest: time.Duration(r.oldest).Seconds(),
		} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, label)
		}
	}
	for _, of := range c.metrics.counted() {
		counter := func(desc *prometheus.Desc, n uint64, labels ...string) {
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), append([]string{of.label}, labels...)...)
		}
		for result := range send.Results {
			counter(c.attempts, of.attempts[result].Load(), result.String())
		}
		if n := of.filterFailures.Load(); n > 0 {
			counter(c.filterFailures, n)
		}
		of.mu.RLock()
		deliveries := maps.Clone(of.deliveries) // a lane that counts does not wait for who reads this
		of.mu.RUnlock()
		for action, counts := range deliveries {
			for o, label := range outcomeLabels {
				if n := counts[o].Load(); n > 0 || outcome(o) != filtered {
					counter(c.deliveries, n, string(action), label)
				}
			}
		}
	}
}

// counted returns the counters of each label. Those of the hooks without one of their own
// remain when their hooks are gone: a counter does not go back.
func (m *Metrics) counted() []*counters {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []*counters
	for _, h := range m.hooks {
		if h.counters != m.others {
			all = append(all, h.counters)
		}
	}
	if m.others != nil {
		all = append(all, m.others)
	}
	return all
}
