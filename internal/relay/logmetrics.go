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
	registry.MustRegister(gauges(w.metrics))
	return w
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
