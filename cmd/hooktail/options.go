package main

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
)

// tuning is what tests change. A zero stands for the default.
type tuning struct {
	statusInterval time.Duration // of the stream
	streamTimeout  time.Duration // of the stream
	beatEvery      time.Duration // of the heartbeat
	countShare     float64       // of the mapping
	dueLimit       time.Duration // of the readiness
	guest          bool          // in a process that is not its own to limit
}

// relayOptions are what the program runs with. Config, Log and Version are required.
type relayOptions struct {
	Config  config.Config
	Log     *slog.Logger
	Version string // of the program, for receivers and operators

	Setup    bool                 // create what is missing first
	Registry *prometheus.Registry // of the metrics; nil: a new one
	Tuning   tuning

	// Started is called once, if set, with the address of the ops server, when this
	// instance leads and slot and hooks are there: from then on no change is missed.
	Started func(opsAddr string)
}
