package relay

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
)

// Tuning is what tests change. A zero stands for the default.
type Tuning struct {
	StatusInterval time.Duration // of the stream
	StreamTimeout  time.Duration // of the stream
	BeatEvery      time.Duration // of the heartbeat
	CountShare     float64       // of the mapping
	DueLimit       time.Duration // of the readiness
	Guest          bool          // in a process that is not its own to limit

	// Ready is called once, if set, with the address of the ops server, when this
	// instance leads and /readyz says that it is ready.
	Ready func(opsAddr string)
}

// Options are what the program runs with. Config, Log and Version are required.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string // of the program, for receivers and operators

	Setup    bool                 // create what is missing first
	Registry *prometheus.Registry // of the metrics; nil: a new one
	Tuning   Tuning

	// Started is called once, if set, with the address of the ops server, when this
	// instance leads and slot and hooks are there: from then on no change is missed.
	Started func(opsAddr string)

	// Outlet is called at the beginning of each term with the lanes, and returns what
	// the events of the term go to, which may hand them on to the lanes; nil: the lanes.
	Outlet func(lanes Outlet) Outlet
}
