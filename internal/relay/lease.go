package relay

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
)

// lease holds this sender's partitions as advisory locks of one session. All senders share the
// partitions equally: each also holds a shared lock, whose holders are counted.
type lease struct {
	*lock
	class    int32 // of the advisory locks
	schema   string
	slot     string
	requests chan request
	moved    chan struct{} // receives a token after each change of share

	mu    sync.Mutex
	share []int // the part of held that this sender is to keep, in order; only replaced; guarded by mu

	held []int // locked partitions, in order; of the goroutine that keeps the session
}

// request is work for the lease's session.
type request struct {
	do   func(ctx context.Context, conn *pgx.Conn) error
	done chan error
}

// member is the second key of the lock that all senders share.
const member = natslog.Partitions

// leaseClass returns the first key of the advisory locks of the slot's senders. It is not
// negative, so that pg_locks shows the same number.
func leaseClass(slot string) int32 {
	h := fnv.New32a()
	h.Write([]byte("hooktail senders of slot " + slot))
	return int32(h.Sum32() & 0x7FFFFFFF)
}

// newLease joins the senders on a new session.
func (s *sidecar) newLease(ctx context.Context) (*lease, error) {
	conn, err := s.connectForLock(ctx)
	if err != nil {
		return nil, err
	}
	l := &lease{
		class: leaseClass(s.cfg.Slot), schema: s.cfg.StateSchema, slot: s.cfg.Slot,
		requests: make(chan request), moved: make(chan struct{}, 1),
	}
	asked := time.Now()
	within, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	if _, err = conn.Exec(within, `SELECT pg_catalog.pg_advisory_lock_shared($1, $2)`, l.class, member); err != nil {
		err = fmt.Errorf("join the senders: %w", err)
	} else {
		err = l.look(within, conn)
	}
	if err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	l.lock = keepSession(ctx, conn, asked, l.look, l.requests)
	return l, nil
}

const countSenders = `SELECT count(*) FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
	AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AND classid = $1::int::oid AND objid = $2::int::oid`

// look counts the senders and takes free partitions up to the fair share. It runs on the
// lease's session once a second.
func (l *lease) look(ctx context.Context, conn *pgx.Conn) error {
	var senders int
	if err := conn.QueryRow(ctx, countSenders, l.class, member).Scan(&senders); err != nil {
		return fmt.Errorf("count the senders: %w", err)
	}
	senders = max(1, senders)
	fair := (natslog.Partitions + senders - 1) / senders
	if missing := fair - len(l.held); missing > 0 {
		others := slices.DeleteFunc(slices.Clone(spread), func(p int) bool { return slices.Contains(l.held, p) })
		rows, err := conn.Query(ctx, `SELECT p FROM unnest($2::int[]) AS p WHERE pg_catalog.pg_try_advisory_lock($1, p) LIMIT $3`, l.class, others, missing)
		if err == nil {
			l.held, err = pgx.AppendRows(l.held, rows, pgx.RowTo[int])
		}
		if err != nil {
			return fmt.Errorf("take partitions: %w", err)
		}
	}
	slices.SortFunc(l.held, func(a, b int) int { return spread[a] - spread[b] })
	l.set(slices.Sorted(slices.Values(l.held[:min(len(l.held), fair)])))
	return nil
}

// spread is all partitions in the order in which senders take and keep them. Hooks are mostly
// numbered from 1, so that the first partitions have one more than the last ones. In this order,
// the one of numbers whose bits are reversed, each of 2, 4 or 8 senders has as many of these.
// Reversed twice, they are as before: spread[p] is also the place of p.
var spread = func() (order []int) {
	for i := range natslog.Partitions {
		order = append(order, int(bits.Reverse8(uint8(i)))*natslog.Partitions>>8)
	}
	return order
}()

// set sets the share, and sends a token if it has changed.
func (l *lease) set(share []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Equal(share, l.share) {
		return
	}
	l.share = share
	select {
	case l.moved <- struct{}{}:
	default:
	}
}

// wanted returns the partitions that this sender is to have.
func (l *lease) wanted() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.share
}

// own releases all other partitions and raises the epoch of these, to more than above. The caller
// must have ended the previous tenure.
func (l *lease) own(ctx context.Context, partitions []int, above int64) (share *state.Share, err error) {
	err = l.ask(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		for _, p := range l.held {
			if slices.Contains(partitions, p) {
				continue
			}
			if _, err := conn.Exec(ctx, `SELECT pg_catalog.pg_advisory_unlock($1, $2)`, l.class, p); err != nil {
				return fmt.Errorf("release partition %d: %w", p, err)
			}
		}
		l.held = slices.Clone(partitions)
		l.set(partitions)
		select {
		case <-l.moved: // to this share
		default:
		}
		if len(partitions) == 0 {
			return nil
		}
		share, err = state.TakeShare(ctx, conn, l.schema, l.slot, partitions, above)
		return err
	})
	return share, err
}

// ask runs do on the lease's session.
func (l *lease) ask(ctx context.Context, do func(context.Context, *pgx.Conn) error) error {
	r := request{do, make(chan error, 1)}
	select {
	case l.requests <- r:
		return <-r.done
	case <-l.ended:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
