package natslog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
)

// ErrForeign says that the log has the events of another database. Ids are positions in its WAL: a
// reader would take events of this database for written, and a sender for delivered; and a sender
// would deliver the other database's events to the hooks of this one.
var ErrForeign = errors.New("the log belongs to another database: use another HOOKTAIL_SLOT or NATS account; if that database is gone, delete the log's stream and bucket and run `hooktail setup`")

// ownerKey is the key of the database to which the log belongs.
const ownerKey = "database"

// Claim returns ErrForeign if the log belongs to another database than this one. If it is nobody's and
// first is true, it belongs to this one from now on.
func (l *Log) Claim(ctx context.Context, here state.Identity, first bool) error {
	kv, err := l.bucket(ctx)
	if err != nil {
		return err
	}
	value, err := json.Marshal(here)
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		of, err := ownerIn(ctx, kv)
		switch {
		case err != nil:
			return fmt.Errorf("read whose the log is: %w", err)
		case of != nil && !of.Is(here):
			return fmt.Errorf("stream %s is that of %s, and this is %s: %w", l.names.Stream, of, here, ErrForeign)
		case of != nil || !first:
			return nil
		}
		if _, err = kv.Create(ctx, ownerKey, value); err == nil {
			return nil
		}
		// Reader and sender of one process claim it at once; or the answer came from a replica that is behind.
		if !isWrongSequence(err) || n == behindAttempts {
			return fmt.Errorf("claim the log: %w", err)
		}
		if err := retry.Sleep(ctx, behindPause); err != nil {
			return err
		}
	}
}

// ownerIn returns the database to which the log belongs, nil if there is none.
func ownerIn(ctx context.Context, kv jetstream.KeyValue) (*state.Identity, error) {
	entry, err := kv.Get(ctx, ownerKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, err
	}
	of := &state.Identity{}
	return of, json.Unmarshal(entry.Value(), of)
}

// Changed describes how the log differs from the one whose stream was created at that time
// and has had that sequence: nil if it is the same. created is when the present stream was
// created. If the time is zero, there was none before: one that is missing is ErrNoLog, and one that was
// written to is ErrForeign.
func (l *Log) Changed(ctx context.Context, known time.Time, seq uint64) (gap *cdc.Gap, created time.Time, err error) {
	info, err := l.Info(ctx)
	switch {
	case errors.Is(err, ErrNoLog) && !known.IsZero():
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the log was deleted (stream %s): events that it had and that were not delivered are missing", l.names.Stream)}, time.Time{}, nil
	case err != nil:
		return nil, time.Time{}, err
	}
	created = info.Created.Truncate(time.Microsecond) // as the database stores it
	switch {
	case known.IsZero() && info.State.LastSeq > 0: // a reader notes its log before it writes
		return nil, created, fmt.Errorf("stream %s: %w", l.names.Stream, ErrForeign)
	case !known.IsZero() && !created.Equal(known):
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the log was created again (stream %s): events that it had and that were not delivered are missing", l.names.Stream)}, created, nil
	case info.State.LastSeq < seq:
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the log has lost its end (stream %s ends at sequence %d, and has had %d): events that it had and that were not delivered are missing", l.names.Stream, info.State.LastSeq, seq)}, created, nil
	}
	_, err = l.bucket(ctx)
	if errors.Is(err, ErrNoLog) && !known.IsZero() {
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the bookmarks were deleted (bucket %s): events that the log still has may be sent again", l.names.Stream)}, created, nil
	}
	return nil, created, err
}
