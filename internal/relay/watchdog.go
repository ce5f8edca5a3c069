package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/retry"
)

var (
	errSilent     = errors.New("neither a heartbeat nor anything else came back")
	errStreamDead = errors.New("the replication stream is dead")
)

// watch renews the replication connection when heartbeats are written and do not come
// back. If that does not help, it returns an error: a person must act.
//
// It acts only on silence. A server that still sends, or is at work, has a reason for a late
// heartbeat (a large transaction before it, a standby that it waits for), and a new
// connection would make it start again. Nor is a heartbeat missing while nothing is read
// because the consumer has no room.
func (h *heartbeat) watch(ctx context.Context, stream *cdc.Stream) error {
	select {
	case <-stream.Started():
	case <-ctx.Done():
		return nil
	}
	var renewed time.Time // when the connection was closed; zero: heartbeats come back
	return retry.Every(ctx, h.every/5, func() error {
		switch {
		case h.missing() <= h.limit():
			renewed = time.Time{}
		case !isSilent(stream, h.limit()):
		case h.isAtWork(ctx, stream):
			renewed = time.Time{}
		case renewed.IsZero():
			renewed = time.Now()
			h.log.Error("no heartbeat came back: reconnecting", "missing", h.missing().Round(time.Second))
			stream.Reconnect(errSilent)
		case time.Since(renewed) > h.limit()+stream.Timeout():
			// The server may have held the slot for the old connection until its timeout.
			return fmt.Errorf("%w: a heartbeat that the database accepted has been outstanding for %s, also on a new connection: "+
				"check the database's log and the network between it and hooktail", errStreamDead, h.missing().Round(time.Second))
		}
		return nil
	})
}

// isAtWork reports whether the server is busy with what it has not sent yet.
func (h *heartbeat) isAtWork(ctx context.Context, stream *cdc.Stream) bool {
	ctx, cancel := context.WithTimeout(ctx, h.every)
	defer cancel()
	return stream.AtWork(ctx, h.pool)
}

// isSilent reports whether the stream has received nothing for longer than limit,
// although it reads. A server that refuses the connection is not silent.
func isSilent(stream *cdc.Stream, limit time.Duration) bool {
	stats := stream.Stats()
	if !stats.Connected {
		return !stats.Held && postgres.Code(stats.Fault) == ""
	}
	return !stats.Held && time.Since(stats.LastMessage) > limit
}
