package relay

import (
	"context"
	"errors"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

const (
	readyEvery  = 10 * time.Millisecond  // pause between two looks at the readiness
	passedEvery = 250 * time.Millisecond // pause between two reports of the stream's position to the dispatcher
)

// term is one term of leadership. With a log it is that of a reader, which writes to the log
// and does not open its lanes.
type term struct {
	lanes
	lock     *lock
	beat     *heartbeat
	stream   *cdc.Stream
	outlet   Outlet // the dispatcher, the Outlet before it, or aside
	pipeline *pipeline
	drained  chan struct{} // closed after the last delivery of a term that ends cleanly

	// Of a reader; nil: there is no log.
	writer   *natslog.Writer
	holdback *natslog.Holdback
	news     *news
	aside    *aside // before writer
}

// serve runs one term in a straight line, from the lock to the last attempt. It returns
// when ctx has ended and everything in flight is finished, when the lock is lost, or at
// the first error that waiting does not cure. Until it returns, no other instance that
// respects the lock sends anything.
func (s *sidecar) serve(ctx context.Context, lock *lock) (err error) {
	s.role.fails(errors.New("starting: reading the hooks"))
	t := &term{lanes: lanes{sidecar: s}, lock: lock, drained: make(chan struct{})}
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.parked.Close()
	t.beat = newHeartbeat(s.pool, s.BeatEvery, s.log)
	if s.events != nil {
		err = t.openLog(ctx)
	} else if err = t.openLanes(lock.holds); err == nil {
		defer t.closeLanes()
		if t.outlet = t.dispatcher; s.before != nil {
			t.outlet = s.before(t.dispatcher)
		}
	}
	if err != nil {
		return err
	}
	if t.stream, err = t.newStream(); err != nil {
		return err
	}
	t.pipeline = t.newPipeline()

	s.role.leads(t.stream, t.beat, s.memory)
	defer s.role.rests()
	if s.events != nil {
		s.watch.reads(t)
		defer s.watch.reads(nil)
	} else {
		s.board.show(&shown{lanes: t.lanes, sieve: t.pipeline.sieve, overlap: t.pipeline.overlap})
		defer s.board.show(nil)
	}
	return t.run(ctx)
}

// begin reads the initial state of a term, while the lock is held: it may have to wait
// for the database, and another instance may become leader meanwhile.
func (t *term) begin(ctx context.Context) (err error) {
	ctx, cancel := t.lock.during(ctx)
	defer cancel()
	if t.hooks, err = t.readHooks(ctx); err == nil {
		err = t.openParked(ctx, nil)
	}
	return causeOf(ctx, err)
}

// causeOf returns why ctx has ended, if err is not nil and it has; otherwise err.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	return err
}

func (t *term) newStream() (*cdc.Stream, error) {
	options, err := wiring.StreamOptions(t.cfg, t.log)
	if err != nil {
		return nil, err
	}
	options.StatusInterval, options.Timeout = t.StatusInterval, t.StreamTimeout
	options.OnHeartbeat, options.ConnectPatience = t.beat.received, -1
	options.OnLoose = t.rows.Forged
	t.memory.written.Store(nil)
	options.MayConfirm = t.memory.mayConfirm
	if t.holdback != nil {
		options.Hold = t.holdback.Hold
	}
	options.Memory, options.OnConnect = t.memory.recall, t.connected
	return cdc.New(options), nil
}

// connected is called for each streaming connection, before anything is read and confirmed. A run
// that does not call memory.end afterwards has not ended cleanly.
func (t *term) connected(ctx context.Context, slot cdc.Slot) error {
	if t.writer != nil {
		if err := t.writer.Follows(slot.Timeline, slot.Written); err != nil {
			return err
		}
	}
	return t.memory.note(ctx, &cdc.Memory{SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, Publication: slot.Published})
}

func (t *term) newPipeline() *pipeline {
	options := wiring.MappingOptions(t.cfg, t.log)
	options.CountShare, options.Metrics, options.Projects = t.CountShare, t.rows, &mapping.Projects{}
	p := &pipeline{
		sidecar:    t.sidecar,
		stream:     t.stream,
		hooks:      t.hooks,
		locator:    mapping.NewLocator(t.pool, options),
		orphans:    mapping.NewOrphans[orphan](int(t.cfg.Memory) / orphansShare),
		settler:    mapping.NewSettler[*wanted](options),
		settle:     t.cfg.Settle,
		pacing:     newPacing(),
		renderer:   mapping.NewRenderer(t.pool, options),
		sieve:      &sieve{metrics: t.deliveries, log: t.log, leftOut: make(map[int64]uint64)},
		outlet:     t.outlet,
		news:       t.news,
		handedOver: t.beat.handedOver,
	}
	if t.cfg.Deliver == config.DeliverAdopted {
		p.overlap = hook.NewOverlap(hook.OverlapOptions{For: t.cfg.AdoptOverlap, MaxBytes: int64(t.cfg.Memory) / wiring.OverlapShare, Log: t.log})
	}
	options.Wanted = p.isWanted
	p.mapper = mapping.NewMapper(options)
	return p
}

// run starts the goroutines of the term and ends them in the order of the path: new
// transactions first, then deliveries under way, then the connection. It returns why the term
// is over; nil: it was told to stop.
func (t *term) run(ctx context.Context) error {
	crew, work := newCrew(context.WithoutCancel(ctx))
	crew.start(work, t.stream.Run)
	crew.start(work, t.pipeline.run)
	crew.keep(work, t.beat.run)
	crew.start(work, func(work context.Context) error { return t.beat.watch(work, t.stream) })
	crew.keep(work, func(work context.Context) { t.memory.run(work, t.stream) })
	crew.start(work, func(work context.Context) error { return t.memory.watch(work, t.stream) })
	crew.keep(work, t.parked.expire)
	crew.keep(work, t.announce)
	lost := func() {} // called if the lock is lost
	if t.writer == nil {
		lost = t.dispatcher.Halt
		t.board.serve(work, crew)
		t.log.Info("hooktail started", "version", t.version, "profile", t.cfg.Profile, "slot", t.cfg.Slot, "ops", t.ops)
	} else {
		crew.start(work, t.holdback.Run)
		crew.start(work, t.checkLog)
		crew.keep(work, t.noteEnd)
		crew.keep(work, t.purge)
		crew.start(work, t.aside.run)
		t.log.Info("hooktail started", "version", t.version, "role", t.cfg.Role, "profile", t.cfg.Profile, "slot", t.cfg.Slot, "log", t.events.Names().Stream, "ops", t.ops)
	}
	crew.start(work, func(work context.Context) error { return t.lock.guard(work, lost) })
	crew.start(work, func(work context.Context) error { return t.deliver(work, crew) })
	if t.started != nil {
		t.started(t.ops)
		t.started = nil
	}

	select {
	case <-work.Done():
	case <-ctx.Done():
		t.stop(work.Done())
	}
	crew.end(errStopped)
	t.memory.end(t.stream, context.Cause(work))
	if err := failureOf(work); err != nil {
		return err
	}
	t.log.Info("hooktail stopped", "confirmed", t.stream.Stats().Recorded)
	return nil
}

// announce calls Ready once.
func (s *sidecar) announce(ctx context.Context) {
	for s.Ready != nil && retry.Sleep(ctx, readyEvery) == nil {
		if s.role.ready() == nil {
			s.Ready(s.ops)
			s.Ready = nil
		}
	}
}

// deliver sends parked and new events once the slot belongs to this instance, and closes
// drained after the last one. A leader that has lost its lock keeps the slot until its
// last attempt has ended; until then the new leader sends nothing.
func (t *term) deliver(ctx context.Context, crew *crew) error {
	select {
	case <-t.stream.Started():
	case <-ctx.Done():
		return nil
	}
	t.proven.Store(true)
	t.unserved.Worked(ctx, t.log, "Leadership regained")
	if t.writer == nil {
		passed := func() { t.dispatcher.Passed(t.stream.Stats().Confirmed) }
		passed() // parked deliveries of later commits wait for older events, which the stream repeats
		if err := t.restore(ctx); err != nil {
			return err
		}
		crew.keep(ctx, func(ctx context.Context) { retry.Always(ctx, passedEvery, passed) })
		crew.keep(ctx, func(ctx context.Context) { t.parked.watch(ctx, t.dispatcher, t.hooks) })
	}
	err := t.pipeline.deliver(ctx)
	if err == nil {
		err = t.outlet.Drain(ctx)
	}
	switch {
	case errors.Is(err, dispatch.ErrClosed):
		return nil // halted: the guard ends the term after the last attempt
	case err != nil:
		return err
	}
	close(t.drained)
	return nil
}
