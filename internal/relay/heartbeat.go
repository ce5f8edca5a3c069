package relay

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	beatPrefix = "hooktail"      // marks our logical messages in the WAL
	beatEvery  = 5 * time.Second // pause between two messages
)

// heartbeat writes a small message into the WAL (no table) and waits for it in the
// stream: the only proof that the whole path is open. It is safe for concurrent use.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
type heartbeat struct {
	pool    *pgxpool.Pool
	log     *slog.Logger
	every   time.Duration
	sign    string         // marks its messages: other instances write to the database too
	failing logging.Repeat // reports messages that could not be written

	mu       sync.Mutex
	began    time.Time
	sent     time.Time     // time of the newest message, written or not
	back     time.Time     // send time of the newest message that came back
	commit   time.Time     // commit time of the newest transaction handed over
	seen     time.Time     // arrival of the last message that came back
	trip     time.Duration // its round trip
	away     []time.Time   // send times of written messages that have not come back
	others   int           // messages of others after the first own one that came back
	writeErr error         // error of the last write; nil: it succeeded
}

// newHeartbeat returns a heartbeat with that period; 0 means beatEvery.
func newHeartbeat(pool *pgxpool.Pool, every time.Duration, log *slog.Logger) *heartbeat {
	return &heartbeat{pool: pool, log: log, every: cmp.Or(every, beatEvery), sign: rand.Text(), began: time.Now()}
}

// limit is how long a message may be missing: three in a row.
func (h *heartbeat) limit() time.Duration { return 3*h.every + h.every/5 }

// run writes messages until ctx ends.
func (h *heartbeat) run(ctx context.Context) {
	retry.Always(ctx, h.every, func() { h.write(ctx) })
}

// write sends its time in the message, so that nothing has to be kept about messages
// under way. The message is transactional: its commit flushes it.
func (h *heartbeat) write(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, max(h.every, beatEvery))
	defer cancel()
	now := time.Unix(0, time.Now().UnixNano()) // with the precision of the message
	h.mu.Lock()
	h.sent = now
	h.mu.Unlock()
	_, err := h.pool.Exec(within, "SELECT pg_logical_emit_message(true, $1, $2)", beatPrefix, h.message(now))
	switch {
	case err == nil:
		h.failing.Worked(ctx, h.log, "The heartbeat can be written again")
	case ctx.Err() == nil:
		h.failing.Failed(ctx, h.log, slog.LevelError, "Cannot write the heartbeat; trying again", slog.Any("error", err), slog.Duration("every", h.every))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writeErr = err
	if err == nil && now.After(h.back) {
		h.away = append(h.away, now)
	}
}

// message returns the content of a message that is sent at that time.
func (h *heartbeat) message(sent time.Time) string {
	return h.sign + " " + strconv.FormatInt(sent.UnixNano(), 10)
}

// othersAtOnce is how many messages of others show that another hooktail runs. Up to two may come from
// a leader that was frozen.
const othersAtOnce = 3

// received is called with each message that the stream shows. Those of earlier leaders, and
// of hooktails that read other slots, do not count: their clocks are others. It warns once of
// another hooktail, which reads another slot: on this one, it would have the lock.
func (h *heartbeat) received(content string) {
	sign, text, _ := strings.Cut(content, " ")
	sent, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case sign == h.sign:
		h.back = time.Unix(0, sent)
		h.seen, h.trip = now, now.Sub(h.back)
		h.away = slices.DeleteFunc(h.away, func(sent time.Time) bool { return !sent.After(h.back) })
	case !h.seen.IsZero(): // else it is of an earlier leader
		if h.others++; h.others == othersAtOnce {
			h.log.Warn("Another hooktail reads another slot of this database: if both send to the same webhooks, receivers get every event twice", "remedy", "hooktail doctor")
		}
	}
}

// handedOver records the commit time of a transaction that the stream has handed over.
func (h *heartbeat) handedOver(commit time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.commit = commit
}

// lag is how far the stream is behind the database in time. If every message has come
// back it is the last round trip; otherwise it is the age of the newest message or
// transaction read. While a message is under way on a quiet database, lag may be as large
// as the pause between two messages, since nothing newer is known.
func (h *heartbeat) lag() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.sent.IsZero() && h.back.Equal(h.sent) {
		return h.trip
	}
	newest := h.back
	if h.commit.After(newest) {
		newest = h.commit
	}
	newest = cmp.Or(newest, h.began)  // nothing has been read yet
	return max(0, time.Since(newest)) // the database's clock may be ahead
}

// missing returns the age of the oldest outstanding message; 0 if there is none.
func (h *heartbeat) missing() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.away) == 0 {
		return 0
	}
	return time.Since(h.away[0])
}

// took returns the last round trip, or the age of the oldest outstanding message if that
// is longer.
func (h *heartbeat) took() time.Duration {
	missing := h.missing()
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.trip, missing)
}

// age returns the time since the last message came back; ok is false before the first.
func (h *heartbeat) age() (age time.Duration, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.seen), !h.seen.IsZero()
}

// ready returns the reason why the stream cannot be relied on, nil if it can.
func (h *heartbeat) ready(stats cdc.Stats) error {
	if !stats.Connected {
		if stats.Fault != nil {
			return fmt.Errorf("not streaming: no replication connection: %w", stats.Fault)
		}
		return errors.New("not streaming: no replication connection")
	}
	missing := display.Span(h.missing())
	h.mu.Lock()
	defer h.mu.Unlock()
	age := time.Since(cmp.Or(h.seen, h.began))
	switch {
	case h.writeErr != nil:
		return fmt.Errorf("the heartbeat could not be written to the database: %w", h.writeErr)
	case h.seen.IsZero() && age <= h.limit():
		return errors.New("starting: the first heartbeat is on its way")
	case age <= h.limit():
		return nil
	case len(h.away) == 0: // the one that is being written
		return fmt.Errorf("the heartbeat could not be written to the database: no answer for %s", display.Span(time.Since(h.sent)))
	case stats.Held:
		return fmt.Errorf("not reading: the hooks and the database cannot accept more; a heartbeat has been outstanding for %s", missing)
	case time.Since(stats.LastMessage) <= h.limit():
		return fmt.Errorf("stream is late: a heartbeat has been outstanding for %s; the server is still at earlier WAL, or waits for a standby (synchronized_standby_slots)", missing)
	default:
		return fmt.Errorf("stream is stale: no heartbeat has come back for %s", display.Span(age))
	}
}

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
// although it reads. A server that answers, be it with a refusal, is not silent.
func isSilent(stream *cdc.Stream, limit time.Duration) bool {
	stats := stream.Stats()
	if !stats.Connected {
		return !stats.Held && !cdc.Answered(stats.Fault)
	}
	return !stats.Held && time.Since(stats.LastMessage) > limit
}
