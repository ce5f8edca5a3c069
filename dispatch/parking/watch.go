package parking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// channel is where it is told that settings or deliveries were changed by other
// means than Apply. The payload is the schema.
const channel = "hooktail_parked"

// tell notifies whoever watches, once the transaction is committed.
func (s *Store) tell(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, s.schema)
	return err
}

// Watch calls changed when settings may have changed, or deliveries by other
// means than Apply: at the start, promptly after each such change, and every
// Options.Poll, for what was changed by hand. It listens on a connection of its
// own, outside of the pool, and on a new one when that is lost; meanwhile it
// polls. It returns when the context has ended. changed is called by the
// goroutine that called Watch.
func (s *Store) Watch(ctx context.Context, changed func(context.Context)) {
	lost := false
	for ctx.Err() == nil {
		err := s.listen(ctx, func(ctx context.Context) {
			lost = false
			changed(ctx)
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			lost = true
			s.log.WarnContext(ctx, "Changes of settings are not notified any more: polling", "error", err, "every", s.poll)
		}
		changed(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(s.poll):
		}
	}
}

// listen calls changed while one connection lasts.
func (s *Store) listen(ctx context.Context, changed func(context.Context)) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	conn := pooled.Hijack()
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for {
		changed(ctx)
		if err := s.await(ctx, conn); err != nil {
			return err
		}
	}
}

// await returns after a notification for the schema, or when it is time to poll.
func (s *Store) await(ctx context.Context, conn *pgx.Conn) error {
	poll, cancel := context.WithTimeout(ctx, s.poll)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(poll)
		switch {
		case err == nil && n.Payload == s.schema:
			return nil
		case err == nil:
			// another hooktail's
		case pgconn.Timeout(err) && errors.Is(poll.Err(), context.DeadlineExceeded) && ctx.Err() == nil && !conn.IsClosed():
			return nil
		default:
			return fmt.Errorf("wait for notification: %w", err)
		}
	}
}
