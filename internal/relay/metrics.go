package relay

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
)

// RegisterMetrics registers all metrics of the program, for the documents. The values are
// those of a program that is not running.
func RegisterMetrics(registry *prometheus.Registry) {
	newSidecar(Options{Config: config.Config{NATSURL: config.NewSecret("nats:")}, Registry: registry})
}

// gauge is a metric at one moment. It is absent from a scrape if its value is not known.
type gauge struct {
	name, help string
	value      float64
	known      bool
}

// gauges returns the metrics of a collector, always the same ones. It must not wait.
type gauges func() []gauge

// Describe implements prometheus.Collector.
func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range g() {
		ch <- prometheus.NewDesc(m.name, m.help, nil, nil)
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	for _, m := range g() {
		if m.known {
			ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.name, m.help, nil, nil), prometheus.GaugeValue, m.value)
		}
	}
}

// flag is the value of a metric that is 1 or 0.
func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// metrics returns those of the role and its stream. A standby has no stream: they are 0.
func (r *role) metrics() []gauge {
	now := r.now()
	var lag, trip float64
	if now.beat != nil {
		lag, trip = now.beat.lag().Seconds(), now.beat.took().Seconds()
	}
	return []gauge{
		{"hooktail_leader", "1: this instance reads the slot and delivers; 0: it stands by.", flag(now.stream != nil), true},
		{"hooktail_ready", "1: the stream flows, or the standby can take over; 0: not ready, and /readyz gives the reason.", flag(r.ready() == nil), true},
		{"hooktail_stream_lag_seconds", "How far the stream is behind the database: the last heartbeat's round trip, or, while a heartbeat is outstanding, the age of the newest commit that was handed over.", lag, true},
		{"hooktail_in_flight_bytes", "Bytes of rows that were read and are not rendered yet.", float64(now.stats().QueueBytes), true},
		{"hooktail_heartbeat_seconds", "Round trip of the last heartbeat through the database's WAL and the stream, or the age of a heartbeat that takes longer.", trip, true},
	}
}

// metrics returns those of this instance, and those of the last survey, unless it is too old.
func (w *logWatch) metrics() []gauge {
	now := w.now()
	s := &now.last
	fresh := !s.at.IsZero() && time.Since(s.at) <= surveyLimit
	surveyed := fmt.Sprintf(" Absent while NATS or the database has not answered for %s.", surveyLimit)

	var partitions, stopped int
	if now.tenure != nil {
		partitions, stopped = len(now.tenure.share.Partitions), len(now.tenure.stopped())
	}
	var heldBack time.Duration
	holds := false
	if now.term != nil {
		heldBack, holds = now.term.holdback.Age()
	}
	undelivered, oldest := s.lag()
	var late time.Duration
	if !oldest.IsZero() {
		late = max(0, time.Since(oldest))
	}
	senders := 0
	for _, seat := range s.seats {
		if !seat.Leads {
			senders++
		}
	}
	return []gauge{
		{"hooktail_log_connected", "1: this instance is connected to NATS; 0: it is not.", flag(now.connected()), true},
		{"hooktail_log_partitions", "Partitions that this instance delivers.", float64(partitions), true},
		{"hooktail_log_stopped_partitions", "Partitions of this instance that have stopped, since a message is missing in the log.", float64(stopped), true},
		{"hooktail_log_held_back_seconds", "Age of the position that this reader may confirm to the slot. Absent if this instance is not the reader, or holds nothing back.", heldBack.Seconds(), holds},
		{"hooktail_log_messages", "Messages in the stream, delivered ones included." + surveyed, float64(s.Messages), fresh},
		{"hooktail_log_bytes", "Size of the stream." + surveyed, float64(s.Bytes), fresh},
		{"hooktail_log_limit_bytes", "Size at which the stream is full; absent if it has no limit." + surveyed, float64(s.Limit), fresh && s.Limit > 0},
		{"hooktail_log_undelivered_messages", "Messages from the oldest undelivered one of each partition on." + surveyed, float64(undelivered), fresh},
		{"hooktail_log_undelivered_seconds", "Age of the oldest undelivered message; 0: all are delivered." + surveyed, late.Seconds(), fresh},
		{"hooktail_log_senders", "Instances that have joined the senders, those without a partition included." + surveyed, float64(senders), fresh},
		{"hooktail_log_unserved_partitions", "Partitions that no sender has." + surveyed, float64(len(free(s.seats))), fresh},
	}
}
