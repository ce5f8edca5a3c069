package relay

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// The lock is a lease: the server keeps its session while it hears from the leader. By
// its own clock, the leader gives up the lease well before the server does.
const (
	lockEvery     = 500 * time.Millisecond // pause between a standby's requests for the lock
	renewEvery    = time.Second            // pause between two signs of life of the leader
	renewWithin   = 8 * time.Second        // the leader gives up after this time without an answer
	lockTimeout   = 14 * time.Second       // the server ends a session after this time of silence
	connectWithin = 5 * time.Second        // limit for connecting: longer means half open
)

// lock is the right to lead: a session-level advisory lock on a connection of its own. A
// goroutine keeps the session alive until release.
// https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
type lock struct {
	heard  atomic.Pointer[time.Time] // time of the last request that was answered
	cancel context.CancelFunc
	ended  chan struct{} // closed when the session has ended, released or lost
	pid    uint32        // of the session in the server
	err    error         // reason; set before ended is closed
}

var (
	errLockLost   = errors.New("the session that holds the lock has ended")
	errLockSilent = errors.New("the server did not answer")
	errInRecovery = errors.New("the server is in recovery: it was not promoted")
)

// lockKey is the key of the advisory lock for leading on the slot. Advisory locks belong
// to a database, as the slot does.
func lockKey(slot string) int64 {
	h := fnv.New64a()
	h.Write([]byte("hooktail leader of slot " + slot))
	return int64(h.Sum64())
}

// awaitLock returns when this instance has the lock. Until then the instance is a
// standby. It returns nil when ctx ends, and at errors that end the program.
func (s *sidecar) awaitLock(ctx context.Context) (*lock, error) {
	standing := false // as the log says
	for {
		conn, err := s.connectForLock(ctx)
		if err == nil {
			var asked time.Time
			asked, err = s.takeLock(ctx, conn, func() {
				s.proven.Store(true)
				other := s.role.standsBy()
				s.unled.Worked(ctx, s.log, "The database answers about the lock again")
				if other && !standing {
					standing = true
					s.log.Info("Standing by: another instance leads", "version", s.version, "slot", s.cfg.Slot, "ops", s.ops)
				}
			})
			if err == nil {
				s.unled.Worked(ctx, s.log, "The database answers about the lock again")
				ping := func(ctx context.Context, conn *pgx.Conn) error { return conn.Ping(ctx) }
				return keepSession(ctx, conn, asked, ping, nil), nil
			}
			conn.Close(context.WithoutCancel(ctx))
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case s.ends(err):
			return nil, err
		}
		s.role.fails(fmt.Errorf("waiting for the database: %w", err))
		s.unled.Failed(ctx, s.log, slog.LevelError, "Cannot ask the database for the lock: trying again",
			slog.Any("error", err), slog.Duration("every", lockEvery), slog.String("ops", s.ops))
		standing = false
		if retry.Sleep(ctx, lockEvery) != nil {
			return nil, nil
		}
	}
}

// connectForLock opens the session that will own the lock.
func (s *sidecar) connectForLock(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	conn, err := wiring.Connect(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, fmt.Sprintf("SET idle_session_timeout = %d", lockTimeout.Milliseconds())); err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("set idle_session_timeout: %w", err)
	}
	return conn, nil
}

// takeLock asks for the lock until it gets it, and returns the time of the successful
// request. It polls: a session that waits inside the server holds a snapshot, which
// keeps VACUUM from removing rows. A standby that could not lead on the present tables is none.
func (s *sidecar) takeLock(ctx context.Context, conn *pgx.Conn, waiting func()) (asked time.Time, err error) {
	var looked time.Time // at the tables
	for {
		asked = time.Now()
		taken, err := s.tryLock(ctx, conn)
		if err != nil || taken {
			return asked, err
		}
		if !s.setup && time.Since(looked) > lookEvery {
			if err := s.fits(ctx, conn); err != nil {
				return asked, err
			}
			looked = time.Now()
		}
		waiting()
		if err := retry.Sleep(ctx, lockEvery); err != nil {
			return asked, err
		}
	}
}

// fits returns an error if this instance could not lead: this version of hooktail cannot run
// on the tables, or there are signing secrets and it has no key.
func (s *sidecar) fits(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	if err := state.Check(ctx, conn, s.cfg.StateSchema); err != nil {
		return err
	}
	signing, err := wiring.NewSigning(s.cfg, s.log)
	if err != nil {
		return err
	}
	settings, err := state.New(state.Options{Pool: s.pool, Schema: s.cfg.StateSchema, Log: s.log}).Settings(ctx)
	if err != nil {
		return nil // a leader waits for them, too
	}
	return s.checkKey(signing, settings)
}

func (s *sidecar) tryLock(ctx context.Context, conn *pgx.Conn) (taken bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, renewWithin)
	defer cancel()
	// A server in recovery has locks as well, but they are its own.
	var answer *bool
	err = conn.QueryRow(ctx, `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_try_advisory_lock($1) END`,
		lockKey(s.cfg.Slot)).Scan(&answer)
	switch {
	case err != nil:
		return false, fmt.Errorf("ask for the lock: %w", err)
	case answer == nil:
		return false, errInRecovery
	}
	return *answer, nil
}

// keepSession keeps a session alive until release. It has owned the lock since asked. beat lets
// the server hear of it; it does what is requested; nil: nothing is.
func keepSession(ctx context.Context, conn *pgx.Conn, asked time.Time, beat func(context.Context, *pgx.Conn) error, requests <-chan request) *lock {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &lock{cancel: cancel, ended: make(chan struct{}), pid: conn.PgConn().PID()}
	l.heard.Store(&asked)
	go func() {
		defer close(l.ended)
		l.err = l.renew(ctx, conn, beat, requests)
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		conn.Close(within)
	}()
	return l
}

// renew sends signs of life until the session ends, which it notices immediately, or
// until ctx ends.
func (l *lock) renew(ctx context.Context, conn *pgx.Conn, beat func(context.Context, *pgx.Conn) error, requests <-chan request) error {
	for {
		err := l.pause(ctx, conn, requests)
		if conn.IsClosed() {
			return fmt.Errorf("%w: %w", errLockLost, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		began := time.Now()
		within, cancel := context.WithDeadline(ctx, l.heard.Load().Add(renewWithin))
		err = beat(within, conn)
		silent := within.Err() != nil
		cancel()
		switch {
		case err != nil && silent:
			return fmt.Errorf("%w: %w: %w", errLockLost, errLockSilent, err)
		case err != nil:
			return fmt.Errorf("%w: %w", errLockLost, err)
		}
		l.heard.Store(&began)
	}
}

// pause waits until the server is to hear from the session again. It notices at once that the
// session has ended, or does what is requested.
func (l *lock) pause(ctx context.Context, conn *pgx.Conn, requests <-chan request) error {
	pause, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	waiting, stop := context.WithCancel(pause)
	defer stop()
	ended := make(chan error, 1)
	wg.Go(func() {
		_, err := conn.WaitForNotification(waiting) // of which there are none
		ended <- err
	})
	select {
	case err := <-ended:
		return err
	case r := <-requests:
		stop()
		if err := <-ended; conn.IsClosed() {
			r.done <- err
			return err
		}
		within, cancel := context.WithDeadline(ctx, l.heard.Load().Add(renewWithin))
		defer cancel()
		err := r.do(within, conn)
		r.done <- err
		return err
	}
}

// holds reports whether, as far as is known, the server still has the session, also just after
// the whole process was frozen.
func (l *lock) holds() bool { return time.Since(*l.heard.Load()) < renewWithin }

// during returns a context that ends with ctx, or when the lock is lost, which is then
// its cause. The caller must call the returned function.
func (l *lock) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { cancel(l.guard(ctx, func() {})) })
	return ctx, func() {
		cancel(nil)
		wg.Wait()
	}
}

// guard calls halt as soon as the lock is lost, and then returns the reason. It returns
// nil if ctx ends first.
func (l *lock) guard(ctx context.Context, halt func()) error {
	select {
	case <-ctx.Done():
		return nil
	case <-l.ended:
		halt()
		return l.err
	}
}

// release lets another instance lead.
func (l *lock) release() {
	l.cancel()
	<-l.ended
}
