package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// term is one term of leadership in one straight line, from the lock to the last
// attempt. It returns when the context has ended and what was in flight is
// finished, when the lock is lost, or at the first fault that waiting does not mend.
// Until it returns, nobody else who keeps to the lock sends anything.
func (s *sidecar) term(ctx context.Context, pool *pgxpool.Pool, lock *lock, ops string) error {
	s.role.takesOver()
	hooks, parked, err := s.begin(ctx, pool, lock)
	if err != nil {
		return err
	}
	defer parked.Close()
	parked.metrics = s.stored

	beat := newHeartbeat(pool, s.BeatEvery, s.log)
	reading, err := wiring.StreamOptions(s.cfg, s.log)
	if err != nil {
		return err
	}
	reading.StatusInterval, reading.Timeout = s.StatusInterval, s.StreamTimeout
	reading.OnHeartbeat, reading.ConnectPatience = beat.received, -1
	keep := newKeeper(pool, s.cfg, s.log)
	reading.MayConfirm = keep.mayConfirm
	reading.Past, reading.OnConnect = s.remembered(keep), keep.connected
	stream := cdc.New(reading)

	sender, err := wiring.NewSender(s.cfg, s.version, parked.Signing.KeysOf)
	if err != nil {
		return err
	}
	defer sender.Close()
	defer s.deliveries.Rest()
	dispatcher := dispatch.New(dispatch.Options{
		Hooks:       hooks,
		Sender:      sender,
		Concurrency: s.cfg.HookConcurrency,
		MaxBytes:    int64(s.cfg.Memory) / wiring.BodiesShare,
		Retry:       dispatch.Policy{RetryFor: s.cfg.RetryFor, MaxAttempts: s.cfg.MaxAttempts},
		Store:       parked.Store,
		MaxParked:   int64(s.cfg.ParkMaxBytes),
		KeepBodies:  s.cfg.AdminToken.Reveal() != "",
		Permit:      lock.holds,
		Log:         s.log,
		Metrics:     s.deliveries,
	})
	defer dispatcher.Close()

	overlap := s.overlap()
	options := wiring.MappingOptions(s.cfg, s.log)
	options.CountShare, options.Metrics, options.Projects = s.CountShare, s.rows, &mapping.Projects{}
	p := &pipeline{
		stream:     stream,
		pool:       pool,
		slot:       s.cfg.Slot,
		hookTables: hookTablesOf(s.cfg),
		hooks:      hooks,
		overlap:    overlap,
		mapper:     mapping.NewMapper(options),
		locator:    mapping.NewLocator(pool, options),
		orphans:    mapping.NewOrphans[orphan](int(s.cfg.Memory) / orphansShare),
		settler:    mapping.NewSettler[*wanted](options),
		settle:     s.cfg.Settle,
		renderer:   mapping.NewRenderer(pool, options),
		dispatcher: dispatcher,
		handedOver: beat.handedOver,
		questions:  s.questions,
		log:        s.log,
	}
	s.role.leads(stream, beat, keep)
	defer s.role.rests()
	s.board.show(&shown{dispatcher: dispatcher, hooks: hooks, overlap: overlap, parked: parked, sender: sender, began: time.Now()})
	defer s.board.show(nil)
	return s.supervise(ctx, p, beat, keep, parked, lock, ops)
}

// begin reads what a term begins with, for as long as the lock is held: it may have to
// wait for the database, and another instance may lead meanwhile.
func (s *sidecar) begin(ctx context.Context, pool *pgxpool.Pool, lock *lock) (*hook.Set, *parkingRoom, error) {
	ctx, cancel := lock.during(ctx)
	defer cancel()
	hooks, err := s.hooks(ctx, pool)
	if err != nil {
		return nil, nil, causeOf(ctx, err)
	}
	var parked *parkingRoom
	err = s.questions.persist(ctx, "read what is parked", func(ctx context.Context) (err error) {
		if parked, err = openParking(ctx, s.cfg, s.log); err != nil {
			return err
		}
		if err = parked.check(ctx); err != nil {
			parked.Close()
		}
		return err
	})
	if err != nil {
		return nil, nil, causeOf(ctx, err)
	}
	return hooks, parked, nil
}

// causeOf is why the context has ended, err where it has not.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// supervise runs the goroutines of a term and ends them in the order of the path:
// no new transactions, then what is on its way, then the connection.
func (s *sidecar) supervise(ctx context.Context, p *pipeline, beat *heartbeat, keep *keeper, parked *parkingRoom, lock *lock, ops string) error {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var wg sync.WaitGroup
	start := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				cancel(err) // the first cause stays
			}
		})
	}
	drained := make(chan struct{})
	start(func() error { return lock.guard(work, p.dispatcher.Halt) })
	start(func() error { return p.stream.Run(work) })
	start(func() error { return p.take(work) })
	start(func() error { beat.run(work); return nil })
	start(func() error { return beat.watch(work, p.stream) })
	start(func() error { keep.run(work, p.stream); return nil })
	start(func() error { return keep.watch(work, p.stream) })
	start(func() error { parked.expire(work); return nil })
	start(func() error { s.board.watch(work); return nil })
	start(func() error {
		err := s.dispatch(work, p, parked, start, drained)
		if errors.Is(err, dispatch.ErrClosed) {
			return nil // halted: the guard ends the term when the last attempt has ended
		}
		return err
	})
	if s.started != nil {
		s.started(ops)
		s.started = nil
	}
	s.log.Info("hooktail started", "version", s.version, "profile", s.cfg.Profile, "slot", s.cfg.Slot, "ops", ops)

	select {
	case <-work.Done():
	case <-ctx.Done():
		s.stop(p, drained, work.Done())
		cancel(errStopped)
	}
	wg.Wait()
	keep.leave(p.stream, context.Cause(work))
	s.sees(p.stream)
	if err := context.Cause(work); !errors.Is(err, errStopped) {
		return err
	}
	s.log.Info("hooktail stopped", "confirmed", p.stream.Stats().Recorded)
	return nil
}

// dispatch delivers what is parked and what is read, from the time on at which the
// slot is this instance's, and closes drained after the last of it. A leader that
// has lost its lock keeps the slot until its last attempt has ended: nothing is sent
// or taken up before.
func (s *sidecar) dispatch(ctx context.Context, p *pipeline, parked *parkingRoom, start func(func() error), drained chan<- struct{}) error {
	select {
	case <-p.stream.Started():
	case <-ctx.Done():
		return nil
	}
	s.proven.Store(true)
	s.unserved.Worked(ctx, s.log, "hooktail leads again")
	passed := func() { p.dispatcher.Passed(p.stream.Stats().Confirmed) }
	passed() // parked deliveries of later commits wait: the stream brings older events again
	err := s.questions.persist(ctx, "read what is parked", func(ctx context.Context) error { return parked.restore(ctx, p.dispatcher) })
	if err != nil {
		return err
	}
	start(func() error { retry.Always(ctx, passedEvery, passed); return nil })
	start(func() error { parked.watch(ctx, p.dispatcher, p.hooks); return nil })
	if err := p.deliver(ctx); err != nil {
		return err
	}
	if err := p.dispatcher.Drain(ctx); err != nil {
		return err
	}
	close(drained)
	return nil
}

// passedEvery is how often the dispatcher is told how far the stream has come.
const passedEvery = 250 * time.Millisecond

var errStopped = errors.New("stopped")

// stop is the orderly end, little longer than the grace period: nothing new is
// read, and what is on its way is delivered. What waits for another attempt is
// parked at once, and all that is unfinished at the end, so that the slot can be
// confirmed.
func (s *sidecar) stop(p *pipeline, drained, failed <-chan struct{}) {
	select {
	case <-p.stream.Started():
	default:
		return // nothing is
	}
	s.log.Info("stopping: finishing what is in flight", "grace", s.cfg.Grace)
	grace := time.NewTimer(s.cfg.Grace)
	defer grace.Stop()
	p.stream.StopReading()
	p.settler.Flush()
	p.dispatcher.Hasten()
	s.board.stops()
	select {
	case <-drained:
	case <-failed:
		return
	case <-grace.C:
		s.log.Warn("the grace period is over: what is not delivered by now is delivered after the next start",
			"transactions", p.stream.Stats().Outstanding)
	}
	ctx, cancel := context.WithTimeout(context.Background(), parkWithin)
	defer cancel()
	if err := p.dispatcher.Park(ctx); err != nil {
		s.log.Warn("not all could be parked: the rest comes again after the next start", "error", err)
	}
}

// parkWithin is how long the end may take after the grace period.
const parkWithin = 3 * time.Second
