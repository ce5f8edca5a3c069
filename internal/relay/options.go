package relay

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
)

// Tuning holds values that tests change. Zero values stand for defaults.
type Tuning struct {
	StatusInterval time.Duration // of the stream
	StreamTimeout  time.Duration // of the stream
	BeatEvery      time.Duration // of the heartbeat
	SurveyEvery    time.Duration // of the log
	CountShare     float64       // of the mapping
	MarkEvery      time.Duration // of the bookmarks
	DueLimit       time.Duration // of the readiness
	Guest          bool          // the process is not the program's own: its memory is not limited

	// Ready, if not nil, is called once with the address of the ops server, when this
	// instance is the leader and /readyz reports that it is ready.
	Ready func(opsAddr string)
}

// Options configures the program. Config, Log and Version are required.
type Options struct {
	Config  config.Config
	Log     *slog.Logger
	Version string // program version, for receivers and operators

	Setup    bool                 // create what is missing first
	Registry *prometheus.Registry // for metrics; nil: a new one
	Tuning   Tuning

	// Started, if not nil, is called once with the address of the ops server, when this
	// instance is the leader and slot and hooks exist: no later change is missed.
	Started func(opsAddr string)

	// Outlet, if not nil, is called at the beginning of each term with the lanes. The
	// term's deliveries go to the Outlet that it returns, which may pass them on to the
	// lanes. nil: they go to the lanes.
	Outlet func(lanes Outlet) Outlet
}
