package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
)

const (
	// PositionEvery is the pause between two writes of the position while the stream
	// runs.
	PositionEvery = 10 * time.Second
	// confirmWithin bounds the time after a write in which a newer position may be
	// confirmed. If the slot was moved later, another program moved it (cdc.Memory).
	confirmWithin = 30 * time.Second
	lookEvery     = 5 * time.Second  // pause between two checks that the publication is unchanged
	lookWithin    = 30 * time.Second // limit for one check: the connection may be half open
	lastWords     = 3 * time.Second  // limit for the last write
)

// memory is hooktail's memory of the stream: of earlier terms in this process, and for
// later runs in the database. It also watches the publication. Only the reader of the
// slot writes it. It outlives the terms, of which there is one at a time.
type memory struct {
	positions *state.Positions
	pool      *pgxpool.Pool
	log       *slog.Logger
	own       *cdc.Memory               // of earlier terms; nil: there was none
	written   atomic.Pointer[time.Time] // last write of the position in this term; nil: none yet
}

// recall returns the written memory, combined with what this process knows: a database
// restored to an earlier state would report no gap.
func (m *memory) recall(ctx context.Context) (*cdc.Memory, error) {
	known, err := m.positions.Read(ctx)
	if known != nil {
		known.Own = m.own
	}
	return known, err
}

func (m *memory) note(ctx context.Context, known *cdc.Memory) error {
	begun := time.Now()
	err := m.positions.Write(ctx, known)
	if err == nil {
		m.written.Store(&begun)
	}
	return err
}

// overdue returns an error if nothing may be confirmed because the position has not been
// written for too long.
func (m *memory) overdue() error {
	written := m.written.Load()
	if written == nil || time.Since(*written) < confirmWithin+PositionEvery {
		return nil // or the stream has not begun, which is reported elsewhere
	}
	return fmt.Errorf("the position has not been written for %s: nothing is confirmed, and WAL piles up", time.Since(*written).Round(time.Second))
}

// mayConfirm reports whether the written position is recent enough.
func (m *memory) mayConfirm() bool {
	written := m.written.Load()
	return written != nil && time.Since(*written) < confirmWithin
}

// run writes the position every PositionEvery, even if it has not moved: the time of the
// write bounds what a killed run may have confirmed afterwards.
func (m *memory) run(ctx context.Context, stream *cdc.Stream) {
	_ = retry.Every(ctx, PositionEvery, func() error { // it never returns an error
		ctx, cancel := context.WithTimeout(ctx, confirmWithin) // the connection may be half open
		defer cancel()
		if err := m.write(ctx, stream, false); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			m.log.Error("cannot write the position; trying again", "error", err, "next", PositionEvery)
		}
		return nil
	})
}

// watch checks the publication every lookEvery, and returns a gap if it finds one.
func (m *memory) watch(ctx context.Context, stream *cdc.Stream) error {
	return retry.Every(ctx, lookEvery, func() error {
		ctx, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		err := m.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return stream.Look(ctx, conn.Conn().PgConn()) })
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return gap
		}
		if err != nil && ctx.Err() == nil {
			m.log.Debug("cannot check the publication", "error", err)
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
// The term has ended with err, nil or errStopped if cleanly; nothing is confirmed
// afterwards. A gap is recorded.
func (m *memory) end(stream *cdc.Stream, err error) {
	if known := stream.Memory(); known != nil {
		m.own = known.Later(m.own)
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	var failed error
	if !is[*cdc.Diverged](err) { // otherwise the server knows the position better
		failed = m.write(ctx, stream, errors.Is(err, errStopped))
	}
	if gap, ok := errors.AsType[*cdc.Gap](err); ok {
		failed = errors.Join(failed, m.positions.Found(ctx, gap))
	}
	if failed != nil {
		m.log.Warn("cannot write the last position: the next run does not know what was confirmed since the previous one", "error", failed)
	}
}
