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
	// slot was moved by later was not hooktail's doing (cdc.Memory).
	confirmWithin = 30 * time.Second
	// lookEvery is how often it is made sure that the publication is what it was.
	lookEvery = 5 * time.Second
	// lookWithin bounds that: a connection may be half open.
	lookWithin = 30 * time.Second
	// lastWords bounds the last writing.
	lastWords = 3 * time.Second
)

// memory is what hooktail remembers of the stream: from earlier terms of this process,
// and, for later runs, in the database. It also watches the publication. Only the reader
// of the slot writes it. It outlives the terms, of which there is one at a time.
type memory struct {
	positions *state.Positions
	pool      *pgxpool.Pool
	log       *slog.Logger
	own       *cdc.Memory // of the terms that are over; nil: of none

	mu      sync.Mutex
	written time.Time // when the position of this term was written last; zero: not yet
}

func newMemory(pool *pgxpool.Pool, cfg config.Config, log *slog.Logger) *memory {
	return &memory{positions: state.NewPositions(pool, cfg.StateSchema, cfg.Slot), pool: pool, log: log}
}

// begin starts a term, which has written nothing yet.
func (m *memory) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written = time.Time{}
}

// recall returns what is written, together with what this process knows itself: a
// database that was restored to an earlier state would say that nothing is missing.
func (m *memory) recall(ctx context.Context) (*cdc.Memory, error) {
	known, err := m.positions.Read(ctx)
	if known != nil {
		known.Own = m.own
	}
	return known, err
}

// connected is called on each connection that streams, before anything is confirmed. A
// run that does not reach end after it has not ended in order.
func (m *memory) connected(ctx context.Context, slot cdc.Slot) error {
	return m.note(ctx, &cdc.Memory{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, Publication: slot.Published,
	})
}

func (m *memory) note(ctx context.Context, known *cdc.Memory) error {
	begun := time.Now()
	if err := m.positions.Write(ctx, known); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written = begun
	return nil
}

// overdue returns an error if the position has not been written for so long that nothing
// is confirmed any more.
func (m *memory) overdue() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	age := time.Since(m.written)
	if m.written.IsZero() || age < confirmWithin+PositionEvery {
		return nil // or the stream has not begun, and says so
	}
	return fmt.Errorf("the position has not been written for %s: nothing is confirmed, and WAL piles up", age.Round(time.Second))
}

// mayConfirm reports whether the written position is recent enough.
func (m *memory) mayConfirm() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.written) < confirmWithin
}

// run writes the position every PositionEvery, even if it has not moved: its time says
// until when a run that was killed may have confirmed more.
func (m *memory) run(ctx context.Context, stream *cdc.Stream) {
	_ = retry.Every(ctx, PositionEvery, func() error { // which returns none
		ctx, cancel := context.WithTimeout(ctx, confirmWithin) // a connection may be half open
		defer cancel()
		if err := m.write(ctx, stream, false); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			m.log.Error("the position was not written; trying again", "error", err, "next", PositionEvery)
		}
		return nil
	})
}

// watch looks at the publication every lookEvery, and returns the gap if there is one.
func (m *memory) watch(ctx context.Context, stream *cdc.Stream) error {
	return retry.Every(ctx, lookEvery, func() error {
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		conn, err := m.pool.Acquire(ctx)
		if err == nil {
			err = stream.Look(ctx, conn.Conn().PgConn())
			conn.Release()
		}
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return gap
		}
		if err != nil && ctx.Err() == nil {
			m.log.Debug("cannot look at the publication", "error", err)
		}
		return nil
	})
}

func (m *memory) write(ctx context.Context, stream *cdc.Stream, clean bool) error {
	known := stream.Memory()
	if known == nil {
		return nil
	}
	known.Clean = clean
	return m.note(ctx, known)
}

// end keeps what the term has read for later terms, and writes the term's last position.
// The term has ended with err, and nothing is confirmed after it; nil or errStopped is
// the end in order. A gap is recorded.
func (m *memory) end(stream *cdc.Stream, err error) {
	if known := stream.Memory(); known != nil {
		m.own = known.Later(m.own)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	var gap *cdc.Gap
	var failed error
	if _, diverged := errors.AsType[*cdc.Diverged](err); !diverged { // else the server knows better how far it is
		failed = m.write(ctx, stream, errors.Is(err, errStopped))
	}
	if errors.As(err, &gap) {
		failed = errors.Join(failed, m.positions.Found(ctx, gap))
	}
	if failed != nil {
		m.log.Warn("the last position was not written: the next run does not know what was confirmed since the one before", "error", failed)
	}
}
