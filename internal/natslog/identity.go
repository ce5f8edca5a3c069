package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc"
)

// Changed describes how the log differs from the one whose stream was created at that time
// and has had that sequence: nil if it is the same. created is when the present stream was
// created. A log that is missing is ErrNoLog if the time is zero: there was none before.
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
	case !known.IsZero() && !created.Equal(known):
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the log was created again (stream %s): events that it had and that were not delivered are missing", l.names.Stream)}, created, nil
	case info.State.LastSeq < seq:
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the log has lost its end (stream %s ends at sequence %d, and has had %d): events that it had and that were not delivered are missing", l.names.Stream, info.State.LastSeq, seq)}, created, nil
	}
	_, err = l.js.KeyValue(ctx, l.names.Stream)
	switch {
	case errors.Is(err, jetstream.ErrBucketNotFound) && !known.IsZero():
		return &cdc.Gap{Slot: l.names.slot, Why: fmt.Sprintf("the bookmarks were deleted (bucket %s): events that the log still has may be sent again", l.names.Stream)}, created, nil
	case errors.Is(err, jetstream.ErrBucketNotFound):
		return nil, created, fmt.Errorf("bucket %s: %w", l.names.Stream, ErrNoLog)
	case err != nil:
		return nil, created, fmt.Errorf("look up bucket %s: %w", l.names.Stream, err)
	}
	return nil, created, nil
}
