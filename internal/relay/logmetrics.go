package relay

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
)

// newLogWatch registers the metrics of the log.
func newLogWatch(cfg config.Config, log *slog.Logger, registry prometheus.Registerer) *logWatch {
	w := &logWatch{cfg: cfg, log: log, changed: make(chan struct{}, 1)}
	registry.MustRegister(w)
	return w
}

// logMetric is one metric of the log. value is unknown if ok is false.
type logMetric struct {
	name, help string
	surveyed   bool // absent while the last survey is too old
	value      func(w *watched) (v float64, ok bool)
}

func logMetrics() []logMetric {
	of := func(value func(s *survey) float64) func(*watched) (float64, bool) {
		return func(w *watched) (float64, bool) { return value(&w.last), true }
	}
	return []logMetric{
		{"hooktail_log_connected", "1: this instance is connected to NATS; 0: it is not.", false, func(w *watched) (float64, bool) {
			if w.events != nil && w.events.Connected() {
				return 1, true
			}
			return 0, true
		}},
		{"hooktail_log_partitions", "Partitions that this instance delivers.", false, func(w *watched) (float64, bool) {
			if w.tenure == nil {
				return 0, true
			}
			return float64(len(w.tenure.share.Partitions)), true
		}},
		{"hooktail_log_stopped_partitions", "Partitions of this instance that have stopped, since a message is missing in the log.", false, func(w *watched) (float64, bool) {
			if w.tenure == nil {
				return 0, true
			}
			return float64(len(w.tenure.stopped())), true
		}},
		{"hooktail_log_held_back_seconds", "Age of the position that this reader may confirm to the slot. Absent if this instance is not the reader, or holds nothing back.", false, func(w *watched) (float64, bool) {
			if w.term == nil {
				return 0, false
			}
			age, holds := w.term.holdback.Age()
			return age.Seconds(), holds
		}},
		{"hooktail_log_messages", "Messages in the stream, delivered ones included.", true, of(func(s *survey) float64 { return float64(s.Messages) })},
		{"hooktail_log_bytes", "Size of the stream.", true, of(func(s *survey) float64 { return float64(s.Bytes) })},
		{"hooktail_log_limit_bytes", "Size at which the stream is full; absent if it has no limit.", true, func(w *watched) (float64, bool) {
			return float64(w.last.Limit), w.last.Limit > 0
		}},
		{"hooktail_log_undelivered_messages", "Messages from the oldest undelivered one of each partition on.", true, of(func(s *survey) float64 {
			messages, _ := s.lag()
			return float64(messages)
		})},
		{"hooktail_log_undelivered_seconds", "Age of the oldest undelivered message; 0: all are delivered.", true, of(func(s *survey) float64 {
			if _, oldest := s.lag(); !oldest.IsZero() {
				return max(0, time.Since(oldest).Seconds())
			}
			return 0
		})},
		{"hooktail_log_senders", "Instances that have joined the senders, those without a partition included.", true, of(func(s *survey) (n float64) {
			for _, seat := range s.seats {
				if !seat.Leads {
					n++
				}
			}
			return n
		})},
		{"hooktail_log_unserved_partitions", "Partitions that no sender has.", true, of(func(s *survey) float64 { return float64(len(free(s.seats))) })},
	}
}

func (m *logMetric) desc() *prometheus.Desc {
	help := m.help
	if m.surveyed {
		help += fmt.Sprintf(" Absent while NATS or the database has not answered for %s.", surveyLimit)
	}
	return prometheus.NewDesc(m.name, help, nil, nil)
}

// Describe implements prometheus.Collector.
func (w *logWatch) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range logMetrics() {
		ch <- m.desc()
	}
}

// Collect implements prometheus.Collector. It asks neither NATS nor the database.
func (w *logWatch) Collect(ch chan<- prometheus.Metric) {
	now := w.now()
	fresh := !now.last.at.IsZero() && time.Since(now.last.at) <= surveyLimit
	for _, m := range logMetrics() {
		if v, ok := m.value(&now); ok && (fresh || !m.surveyed) {
			ch <- prometheus.MustNewConstMetric(m.desc(), prometheus.GaugeValue, v)
		}
	}
}
