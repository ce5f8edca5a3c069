package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/retry"
)

// channel is notified of changes of settings or deliveries other than by Apply. The
// payload is the schema.
const channel = "hooktail_parked"

// tell sends the notification with the transaction's commit.
func (s *Store) tell(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, s.schema)
	return err
}

// Watch calls changed when settings may have changed, or deliveries by other means than
// Apply: at the start, promptly after each such change, and every Options.Poll, for
// manual changes. It listens on a connection of its own, outside the pool, and reopens it
// if necessary; meanwhile it polls. It returns when the context has ended. changed is
// called in the goroutine that called Watch.
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
			s.log.WarnContext(ctx, "Notifications of changed settings are interrupted: polling", "error", err, "every", s.poll)
		}
		changed(ctx)
		_ = retry.Sleep(ctx, s.poll) // the loop says that ctx has ended
	}
}

// listenPatience bounds queries on the listening connection, and closing it: it may be
// half open.
const listenPatience = 10 * time.Second

// listen calls changed as long as one connection lasts.
func (s *Store) listen(ctx context.Context, changed func(context.Context)) error {
	conn, err := s.listener(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenPatience)
		defer cancel()
		conn.Close(ctx)
	}()
	for {
		changed(ctx)
		if err := s.await(ctx, conn); err != nil {
			return err
		}
	}
}

// listener returns a listening connection, taken out of the pool.
func (s *Store) listener(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if _, err := pooled.Exec(ctx, "LISTEN "+channel); err != nil {
		pooled.Release() // closes a broken connection
		return nil, fmt.Errorf("listen: %w", err)
	}
	return pooled.Hijack(), nil
}

// await returns after a notification for the schema, or when it is time to poll: then the
// connection must answer a query, since a half-open one never gets a notification.
func (s *Store) await(ctx context.Context, conn *pgx.Conn) error {
	poll, cancel := context.WithTimeout(ctx, s.poll)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(poll)
		switch {
		case err == nil && n.Payload == s.schema:
			return nil
		case err == nil:
			// for another hooktail
		case pgconn.Timeout(err) && errors.Is(poll.Err(), context.DeadlineExceeded) && ctx.Err() == nil && !conn.IsClosed():
			ctx, cancel := context.WithTimeout(ctx, listenPatience)
			defer cancel()
			if err := conn.Ping(ctx); err != nil {
				return fmt.Errorf("query the listening connection: %w", err)
			}
			return nil
		default:
			return fmt.Errorf("wait for notification: %w", err)
		}
	}
}
