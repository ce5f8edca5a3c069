package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
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

// Outlet is where rendered events go: the lanes, or what Options.Outlet puts before
// them. It gets one delivery for each hook that wants an event. One goroutine calls it.
//
// It is responsible for a delivery until it calls the delivery's Done, once, from any
// goroutine: the delivery has arrived, or is stored where a crash does not reach it. The
// slot is confirmed up to the first delivery that is not done. Deliveries that are not
// done when the program ends come again, with the same event id.
type Outlet interface {
	// Enqueue takes deliveries in the order of the stream. While there is no room it
	// waits, and nothing more is read; it gives up when ctx ends. An error ends the term
	// of leadership. The outlet may keep the slice.
	Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error

	// Drain returns when all deliveries are done or ctx has ended. Enqueue is not called
	// afterwards.
	Drain(ctx context.Context) error
}
