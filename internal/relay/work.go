package relay

import (
	"context"
	"errors"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// openParked opens the store of parked deliveries, for a sender's share or, if it is nil, for
// all hooks. It waits for the database. The caller closes it.
func (s *sidecar) openParked(ctx context.Context, share *state.Share) (room *parkingRoom, err error) {
	err = s.questions.persist(ctx, readParked, func(ctx context.Context) (err error) {
		if room, err = openParking(ctx, s.cfg, s.log, share); err != nil {
			return err
		}
		if err = room.check(ctx); err != nil {
			room.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	room.metrics = s.stored
	return room, nil
}

// restore passes the parked deliveries to the lanes. It waits for the database.
func (s *sidecar) restore(ctx context.Context, room *parkingRoom, d *dispatch.Dispatcher) error {
	return s.questions.persist(ctx, readParked, func(ctx context.Context) error { return room.restore(ctx, d) })
}

// readParked says what openParked and restore do.
const readParked = "read the parked deliveries"

// newDispatcher returns the lanes of a leader or a sender, which send while permit holds.
func (s *sidecar) newDispatcher(hooks *hook.Set, parked *parkingRoom, sender *send.Sender, permit func() bool) *dispatch.Dispatcher {
	return dispatch.New(dispatch.Options{
		Hooks:       hooks,
		Sender:      sender,
		Concurrency: s.cfg.HookConcurrency,
		InFlight:    s.cfg.Concurrency,
		MaxBytes:    int64(s.cfg.Memory) / wiring.BodiesShare,
		Retry:       dispatch.Policy{RetryFor: s.cfg.RetryFor, MaxAttempts: s.cfg.MaxAttempts},
		Store:       parked.Store,
		MaxParked:   int64(s.cfg.ParkMaxBytes),
		KeepBodies:  s.cfg.AdminToken.Reveal() != "",
		Permit:      permit,
		Log:         s.log,
		Metrics:     s.deliveries,
	})
}

// startReading starts the goroutines of a term that every reader of the slot has. lost is
// called if the lock is lost.
func (t *term) startReading(work context.Context, crew *crew, lost func()) {
	crew.start(work, func(work context.Context) error { return t.lock.guard(work, lost) })
	crew.start(work, t.stream.Run)
	crew.start(work, t.pipeline.run)
	crew.keep(work, t.beat.run)
	crew.start(work, func(work context.Context) error { return t.beat.watch(work, t.stream) })
	crew.keep(work, func(work context.Context) { t.memory.run(work, t.stream) })
	crew.start(work, func(work context.Context) error { return t.memory.watch(work, t.stream) })
	crew.keep(work, t.parked.expire)
	crew.keep(work, t.announce)
}

// owned waits until the slot belongs to this instance, and reports whether it does; it
// does not if ctx has ended.
func (t *term) owned(ctx context.Context) bool {
	select {
	case <-t.stream.Started():
	case <-ctx.Done():
		return false
	}
	t.proven.Store(true)
	t.unserved.Worked(ctx, t.log, "Leadership regained")
	return true
}

// tellStarted calls the option that waits for the first term.
func (s *sidecar) tellStarted() {
	if s.started != nil {
		s.started(s.ops)
		s.started = nil
	}
}

// await waits for the end of the work, which it stops in order when ctx ends, and returns why
// the term is over; nil: it was told to stop.
func (t *term) await(ctx, work context.Context, crew *crew, stop func(failed <-chan struct{})) error {
	select {
	case <-work.Done():
	case <-ctx.Done():
		stop(work.Done())
	}
	crew.end(errStopped)
	t.memory.end(t.stream, context.Cause(work))
	if err := failureOf(work); err != nil {
		return err
	}
	t.log.Info("hooktail stopped", "confirmed", t.stream.Stats().Recorded)
	return nil
}

// failureOf returns why the work has ended; nil: it was stopped.
func failureOf(work context.Context) error {
	err := context.Cause(work)
	if gone, ok := errors.AsType[*logGap](err); ok {
		return gone.gap
	}
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}
