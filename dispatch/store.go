package dispatch

import (
	"context"
	"math"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Store keeps deliveries that cannot be made now, so that the slot can advance: a row per
// hook and event, parked or dead. It is the persistent extension of the lanes and decides
// nothing. It is a state.Store or a replacement.
type Store interface {
	// Apply makes all changes of the batch in one transaction. Inserting an existing row
	// does not change it; changing a missing one does nothing.
	Apply(ctx context.Context, b state.Batch) error

	// Tail returns a part of the hook's parked rows, in order.
	Tail(ctx context.Context, p state.Part) ([]state.Row, error)

	// Heads returns the newest of the hook's parked rows that wait for no other and were
	// never attempted, newest first.
	Heads(ctx context.Context, h state.Heads) ([]state.Row, error)

	// Bodies returns the bodies of those of the events that are parked for the hook.
	Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error)

	// Suspend records that the hook accepts no events from this one on.
	Suspend(ctx context.Context, hook int64, from mapping.ID) error

	// Hold records the pause that the hook's receiver has requested; 0: none.
	Hold(ctx context.Context, hook int64, wait time.Duration) error
}

// theEnd returns an id after all events.
func theEnd() mapping.ID {
	return mapping.ID{Commit: math.MaxUint64, Ordinal: math.MaxInt, Timeline: math.MaxInt32}
}

// justBefore returns an id between the event and the one before it.
func justBefore(id mapping.ID) mapping.ID {
	return mapping.ID{Commit: id.Commit, Ordinal: id.Ordinal - 1, Timeline: math.MaxInt32}
}

// earlier returns the one that comes first in the stream.
func earlier(a, b mapping.ID) mapping.ID {
	if state.Compare(b, a) < 0 {
		return b
	}
	return a
}
