package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	// PositionEvery is how often the position is written, while the stream runs.
	PositionEvery = 10 * time.Second
	// confirmWithin is how long after that a newer position may be confirmed: what the
	// slot was moved by later was not hooktail's doing (cdc.Past).
	confirmWithin = 30 * time.Second
	// lookEvery is how often it is made sure that the publication is what it was.
	lookEvery = 5 * time.Second
	// lookWithin bounds that: a connection may be half open.
	lookWithin = 30 * time.Second
	// lastWords bounds the last writing.
	lastWords = 3 * time.Second
)

// keeper keeps the position of the stream of a term, for the runs that follow, and
// an eye on its publication. Only who reads the slot writes it.
type keeper struct {
	positions *state.Positions
	pool      *pgxpool.Pool
	log       *slog.Logger

	mu      sync.Mutex
	written time.Time // when the position was written last
}

func newKeeper(pool *pgxpool.Pool, cfg config.Config, log *slog.Logger) *keeper {
	return &keeper{positions: state.NewPositions(pool, cfg.StateSchema, cfg.Slot), pool: pool, log: log}
}

// connected is called on each connection that streams, before anything is
// confirmed: from then on a run that ends without leave has not ended in order.
func (k *keeper) connected(ctx context.Context, slot cdc.Slot) error {
	return k.note(ctx, &cdc.Past{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, Publication: slot.Published,
	})
}

func (k *keeper) note(ctx context.Context, past *cdc.Past) error {
	begun := time.Now()
	if err := k.positions.Write(ctx, past); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written = begun
	return nil
}

// overdue says that the position has not been written for so long that nothing is
// confirmed any more, nil if it has.
func (k *keeper) overdue() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := time.Since(k.written)
	if k.written.IsZero() || age < confirmWithin+PositionEvery {
		return nil // or the stream has not begun, and says so
	}
	return fmt.Errorf("the position has not been written for %s: nothing is confirmed, and WAL piles up", age.Round(time.Second))
}

// mayConfirm reports whether what is written is new enough.
func (k *keeper) mayConfirm() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Since(k.written) < confirmWithin
}

// run writes the position every now and then, also where it has not moved: its
// time says how long ago a run that was killed may have confirmed more.
func (k *keeper) run(ctx context.Context, stream *cdc.Stream) {
	_ = retry.Every(ctx, PositionEvery, func() error { // which returns none
		ctx, cancel := context.WithTimeout(ctx, confirmWithin) // a connection may be half open
		defer cancel()
		if err := k.write(ctx, stream, false); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			k.log.Error("the position was not written; trying again", "error", err, "next", PositionEvery)
		}
		return nil
	})
}

// watch looks at the publication every now and then, and returns the gap if
// there is one.
func (k *keeper) watch(ctx context.Context, stream *cdc.Stream) error {
	return retry.Every(ctx, lookEvery, func() error {
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		conn, err := k.pool.Acquire(ctx)
		if err == nil {
			err = stream.Look(ctx, conn.Conn().PgConn())
			conn.Release()
		}
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return gap
		}
		if err != nil && ctx.Err() == nil {
			k.log.Debug("the publication was not looked at", "error", err)
		}
		return nil
	})
}

func (k *keeper) write(ctx context.Context, stream *cdc.Stream, clean bool) error {
	past := stream.Left()
	if past == nil {
		return nil
	}
	past.Clean = clean
	return k.note(ctx, past)
}

// leave writes the last position of a term that has ended with err, once nothing is
// confirmed any more: nil or errStopped is the end in order. A gap is noted.
func (k *keeper) leave(stream *cdc.Stream, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	var gap *cdc.Gap
	var failed error
	if _, diverged := errors.AsType[*cdc.Diverged](err); !diverged { // else the server knows better how far it is
		failed = k.write(ctx, stream, errors.Is(err, errStopped))
	}
	if errors.As(err, &gap) {
		failed = errors.Join(failed, k.positions.Found(ctx, gap))
	}
	if failed != nil {
		k.log.Warn("the last position was not written: what was confirmed since the one before is not known to the next run", "error", failed)
	}
}
