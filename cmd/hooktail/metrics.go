package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
)

// registerStream makes the stream's state readable for Prometheus. It is asked
// for when somebody scrapes; nothing is counted twice.
func registerStream(registry prometheus.Registerer, stream *cdc.Stream, beat *heartbeat, guard *diskGuard) {
	registry.MustRegister(guard)
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("hooktail_stream_lag_seconds", "How far the stream is behind the database: the last heartbeat's round trip, or the age of the newest commit that was handed over while a heartbeat is under way.", func() float64 {
		return beat.lag().Seconds()
	})
	gauge("hooktail_in_flight_bytes", "Rows that were read and are not rendered yet.", func() float64 {
		return float64(stream.Stats().QueueBytes)
	})
	gauge("hooktail_heartbeat_seconds", "Round trip of the last heartbeat through the database's WAL and the stream.", func() float64 {
		_, trip, _ := beat.age()
		return trip.Seconds()
	})
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "hooktail_reconnects_total", Help: "Replication connections after the first.",
	}, func() float64 { return float64(max(0, stream.Stats().Connections-1)) }))
}
