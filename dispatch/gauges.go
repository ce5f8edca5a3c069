package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// State is the value of hooktail_hook_state.
type State int

// States; those from StateFailing on need attention.
const (
	StateInactive  State = iota // inactive in its row: its deliveries are held
	StateLive                   // working, as far as is known
	StateFailing                // at least three tasks have failed and none has succeeded: one request at a time
	StateWaiting                // the receiver asked for a pause (Retry-After)
	StateStopped                // the receiver answered 410: nothing until the row changes
	StateRefused                // the row's URL or headers, or the signing secret, cannot be used
	StatePaused                 // by a person: all events are parked
	StateSuspended              // the bound of parked deliveries is reached: new events are not accepted
)

// StateOf returns the state according to the hook's row: StateInactive, StateRefused or
// StateLive.
func StateOf(h *hook.Hook) State {
	switch {
	case h.Refused == hook.BadRow:
		return StateRefused
	case !h.Served():
		return StateInactive
	case h.IsRefused():
		return StateRefused
	default:
		return StateLive
	}
}

type gauge struct {
	state, parked, dead, oldest atomic.Int64 // oldest in nanoseconds
}

func (h *hookMetrics) enter(s State) {
	if h != nil {
		h.state.Store(int64(s))
	}
}

func (h *hookMetrics) backlog(parked, dead int) {
	if h != nil {
		h.parked.Store(int64(parked))
		h.dead.Store(int64(dead))
	}
}

func (h *hookMetrics) age(d time.Duration) {
	if h != nil {
		h.oldest.Store(int64(d))
	}
}

// Rest sets the gauges of an instance that no longer delivers to 0; counters keep their
// values.
func (m *Metrics) Rest() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range m.hooks {
		h.enter(StateInactive)
		h.backlog(0, 0)
		h.age(0)
	}
}

type reading struct{ state, parked, dead, oldest int64 }

// readings returns the shown values by label: of several hooks the sum of their rows, and the
// highest of their states and ages.
func (m *Metrics) readings() map[string]reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	byLabel := make(map[string]reading, m.labels+1)
	for _, h := range m.hooks {
		r := byLabel[h.label]
		byLabel[h.label] = reading{
			max(r.state, h.state.Load()), r.parked + h.parked.Load(), r.dead + h.dead.Load(), max(r.oldest, h.oldest.Load()),
		}
	}
	return byLabel
}
