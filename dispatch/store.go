package dispatch

import (
	"cmp"
	"context"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Store keeps what cannot be delivered now, so that the slot may move on: one
// row per hook and event, parked or dead. It is the persistent extension of the
// lanes and decides nothing. The Dispatcher calls Apply from one goroutine and
// the rest from several.
type Store interface {
	// Apply makes all of the batch in one transaction, in the order of its
	// fields. A row that is there already stays as it is when it is inserted
	// again; one that is not there is not updated, buried or deleted.
	Apply(ctx context.Context, b Batch) error

	// Tail is the hook's parked rows after that place, in order, without their
	// bodies, at most limit.
	Tail(ctx context.Context, hook int64, after Place, limit int) ([]Row, error)

	// Bodies is the bodies of the hook's parked rows by event. Those of rows that
	// are not there, or not parked, are missing.
	Bodies(ctx context.Context, hook int64, events []string) (map[string][]byte, error)

	// Backlogs is what there is of each hook that has a row or a setting.
	Backlogs(ctx context.Context) ([]Backlog, error)

	// Suspend notes that the hook takes nothing on from this place on.
	Suspend(ctx context.Context, hook int64, from Place) error
}

// Place is where an event stands in the stream; a hook's rows are ordered by it.
type Place struct {
	Commit  uint64 // LSN of the commit record
	Ordinal int    // within the transaction
}

func placeOf(id mapping.ID) Place { return Place{uint64(id.Commit), id.Ordinal} }

func (p Place) compare(other Place) int {
	return cmp.Or(cmp.Compare(p.Commit, other.Commit), cmp.Compare(p.Ordinal, other.Ordinal))
}

// before is a place that what stands at p comes after.
func (p Place) before() Place { return Place{p.Commit, p.Ordinal - 1} }

// Key names a row.
type Key struct {
	Hook  int64
	Event string // mapping.ID as text
}

// Row is a delivery in the store.
type Row struct {
	Key
	Place
	Action    mapping.Action // as the hook spells it
	Project   int64
	Task      int64 // 0: the whole project's
	Committed time.Time
	Body      []byte // not set by Tail
	Bytes     int    // of the body
	Attempts  int
	Parked    time.Time // since when the delivery has been taken on
	Next      time.Time // of the next attempt; zero: at once
	Last      LastAttempt
	Dead      Reason // ReasonNone: parked
}

// LastAttempt is what became of the latest attempt.
type LastAttempt struct {
	Result string // "": there was none
	Status int    // 0: no answer
}

// Attempt is what an attempt has changed in a row.
type Attempt struct {
	Key
	Attempts int
	Next     time.Time
	Last     LastAttempt
	Dead     Reason // ReasonNone: parked as before
}

// Batch is what one transaction writes.
type Batch struct {
	Insert []Row
	Update []Attempt
	Delete []Key
}

// Backlog is what there is of a hook.
type Backlog struct {
	Hook      int64
	Parked    int
	Dead      int
	Bytes     int64     // of the bodies of both
	Oldest    time.Time // commit of the oldest that is parked; zero: none is
	Paused    bool      // as a person has set it
	Suspended bool      // since the hook's rows took too much space
}
