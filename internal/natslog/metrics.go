package natslog

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the Writers of a process do. A nil *Metrics counts nothing.
type Metrics struct {
	batches, refused prometheus.Counter
}

// NewMetrics registers the counters.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		batches: prometheus.NewCounter(prometheus.CounterOpts{Name: "hooktail_log_batches_total", Help: "Batches that this reader wrote to the log."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "hooktail_log_refused_batches_total", Help: "Batches that the log refused or did not acknowledge in time. While the log is full, the reader tries again; otherwise its term ends, and the next one continues where the log ends."}),
	}
	registry.MustRegister(m.batches, m.refused)
	return m
}

func (m *Metrics) count(err error) {
	switch {
	case m == nil:
	case err == nil:
		m.batches.Inc()
	default:
		m.refused.Inc()
	}
}
