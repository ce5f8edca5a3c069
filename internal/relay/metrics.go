package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/mapping"
)

// RegisterMetrics registers all metrics that this package counts, for the documents. The
// values are those of a program that is not running.
func RegisterMetrics(registry *prometheus.Registry) {
	dispatch.NewMetrics(registry)
	mapping.NewMetrics(registry)
	newParkingMetrics(registry)
	newRole(registry)
	registry.MustRegister(newDiskGuard(nil, "", nil))
	newLogWatch(config.Config{}, nil, registry)
	natslog.NewMetrics(registry)
}

// registerRole registers the metrics of the instance's role and of its stream. They are
// read at each scrape. A standby has no stream: its values are 0.
func registerRole(registry prometheus.Registerer, r *role) {
	gauge := func(name, help string, value func(s cdc.Stats) float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(r.stats()) }))
	}
	gauge("hooktail_leader", "1: this instance reads the slot and delivers; 0: it stands by.", func(cdc.Stats) float64 {
		if stream, _ := r.current(); stream != nil {
			return 1
		}
		return 0
	})
	gauge("hooktail_ready", "1: the stream flows, or the standby can take over; 0: not ready, and /readyz gives the reason.", func(cdc.Stats) float64 {
		if r.ready() == nil {
			return 1
		}
		return 0
	})
	gauge("hooktail_stream_lag_seconds", "How far the stream is behind the database: the last heartbeat's round trip, or, while a heartbeat is outstanding, the age of the newest commit that was handed over.", func(cdc.Stats) float64 {
		if _, beat := r.current(); beat != nil {
			return beat.lag().Seconds()
		}
		return 0
	})
	gauge("hooktail_in_flight_bytes", "Bytes of rows that were read and are not rendered yet.", func(s cdc.Stats) float64 {
		return float64(s.QueueBytes)
	})
	gauge("hooktail_heartbeat_seconds", "Round trip of the last heartbeat through the database's WAL and the stream, or the age of a heartbeat that takes longer.", func(cdc.Stats) float64 {
		if _, beat := r.current(); beat != nil {
			return beat.took().Seconds()
		}
		return 0
	})
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "hooktail_reconnects_total", Help: "Replication connections after the first.",
	}, func() float64 { return float64(r.reconnects()) }))
}
