package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
)

// registerStream makes the stream's state readable for Prometheus. It is asked
// for when somebody scrapes; nothing is counted twice.
func registerStream(registry prometheus.Registerer, stream *cdc.Stream, beat *heartbeat) {
	gauge := func(name, help string, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("hooktail_slot_lag_bytes", "WAL between what is confirmed and what the server has read for the slot.", func() float64 {
		s := stream.Stats()
		if s.ServerEnd < s.Confirmed {
			return 0
		}
		return float64(s.ServerEnd - s.Confirmed)
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
