package dispatch

import (
	"context"
	"math"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Store keeps what cannot be delivered now, so that the slot may move on: a row
// per hook and event, parked or dead. It is the persistent extension of the
// lanes and decides nothing. It is a state.Store, or stands in for one.
type Store interface {
	// Apply makes all of the batch in one transaction. A row that is there
	// already stays as it is when it is inserted again; one that is not there is
	// not changed.
	Apply(ctx context.Context, b state.Batch) error

	// Tail is a part of the hook's parked rows, in order.
	Tail(ctx context.Context, p state.Part) ([]state.Row, error)

	// Heads is the newest of the hook's parked rows that wait for no other and were never
	// attempted, the newest first.
	Heads(ctx context.Context, h state.Heads) ([]state.Row, error)

	// Bodies is the bodies of those of the events that are parked for the hook.
	Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error)

	// Suspend notes that the hook takes nothing on from this event on.
	Suspend(ctx context.Context, hook int64, from mapping.ID) error

	// Hold notes for how long the hook's receiver wants no request; 0: it does not mind.
	Hold(ctx context.Context, hook int64, wait time.Duration) error
}

// theEnd is after all events.
func theEnd() mapping.ID {
	return mapping.ID{Commit: math.MaxUint64, Ordinal: math.MaxInt, Timeline: math.MaxInt32}
}

// justBefore is between the event and the one before it.
func justBefore(id mapping.ID) mapping.ID {
	return mapping.ID{Commit: id.Commit, Ordinal: id.Ordinal - 1, Timeline: math.MaxInt32}
}

// earlier is the one that comes first in the stream.
func earlier(a, b mapping.ID) mapping.ID {
	if state.Compare(b, a) < 0 {
		return b
	}
	return a
}
