package relay

import (
	"context"
	"errors"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// term is one term of leadership. Its fields are in the order of their creation.
type term struct {
	*sidecar
	lock       *lock
	hooks      *hook.Set
	parked     *parkingRoom
	beat       *heartbeat
	stream     *cdc.Stream
	sender     *send.Sender
	dispatcher *dispatch.Dispatcher
	outlet     Outlet                         // the dispatcher, or the Outlet before it
	hold       func(position cdc.LSN) cdc.LSN // of the stream; nil: nothing is held back
	follows    func(slot *cdc.Slot) error     // returns why the stream must not begin there; nil: it may
	overlap    *hook.Overlap
	pipeline   *pipeline
	drained    chan struct{} // closed after the last delivery of a term that ends cleanly
}

// serve runs one term in a straight line, from the lock to the last attempt. It returns
// when ctx has ended and everything in flight is finished, when the lock is lost, or at
// the first error that waiting does not cure. Until it returns, no other instance that
// respects the lock sends anything.
func (s *sidecar) serve(ctx context.Context, lock *lock) (err error) {
	s.role.takesOver()
	t := &term{sidecar: s, lock: lock, drained: make(chan struct{})}
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.parked.Close()

	t.beat = newHeartbeat(s.pool, s.BeatEvery, s.log)
	if t.stream, err = t.newStream(); err != nil {
		return err
	}
	if t.sender, err = wiring.NewSender(s.cfg, s.version, t.parked.Signing.KeysOf); err != nil {
		return err
	}
	defer t.sender.Close()
	defer s.deliveries.Rest()
	t.dispatcher = s.newDispatcher(t.hooks, t.parked, t.sender, lock.holds)
	defer t.dispatcher.Close()
	if t.outlet = t.dispatcher; s.before != nil {
		t.outlet = s.before(t.dispatcher)
	}
	t.overlap = newOverlap(s.cfg, s.log)
	t.pipeline = t.newPipeline()

	s.role.leads(t.stream, t.beat, s.memory)
	defer s.role.rests()
	s.board.show(&shown{dispatcher: t.dispatcher, hooks: t.hooks, sieve: t.pipeline.sieve, overlap: t.overlap, parked: t.parked, sender: t.sender, began: time.Now(), backfills: newBackfills()})
	defer s.board.show(nil)
	return t.run(ctx)
}

// begin reads the initial state of a term, while the lock is held: it may have to wait
// for the database, and another instance may become leader meanwhile.
func (t *term) begin(ctx context.Context) (err error) {
	ctx, cancel := t.lock.during(ctx)
	defer cancel()
	if t.hooks, err = t.readHooks(ctx); err != nil {
		return causeOf(ctx, err)
	}
	if t.parked, err = t.openParked(ctx, nil); err != nil {
		return causeOf(ctx, err)
	}
	return nil
}

// causeOf returns why ctx has ended, or err if it has not.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
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
	t.memory.begin()
	options.MayConfirm, options.Hold = t.memory.mayConfirm, t.hold
	options.Memory, options.OnConnect = t.memory.recall, t.connected
	return cdc.New(options), nil
}

// connected is called for each streaming connection, before anything is read.
func (t *term) connected(ctx context.Context, slot cdc.Slot) error {
	if t.follows != nil {
		if err := t.follows(&slot); err != nil {
			return err
		}
	}
	return t.memory.connected(ctx, slot)
}

func (t *term) newPipeline() *pipeline {
	options := wiring.MappingOptions(t.cfg, t.log)
	options.CountShare, options.Metrics, options.Projects = t.CountShare, t.rows, &mapping.Projects{}
	p := &pipeline{
		stream:     t.stream,
		pool:       t.pool,
		slot:       t.cfg.Slot,
		hookTables: hookTablesOf(t.cfg),
		hooks:      t.hooks,
		overlap:    t.overlap,
		locator:    mapping.NewLocator(t.pool, options),
		orphans:    mapping.NewOrphans[orphan](int(t.cfg.Memory) / orphansShare),
		settler:    mapping.NewSettler[*wanted](options),
		settle:     t.cfg.Settle,
		pacing:     newPacing(),
		renderer:   mapping.NewRenderer(t.pool, options),
		sieve:      &sieve{metrics: t.deliveries, log: t.log},
		outlet:     t.outlet,
		handedOver: t.beat.handedOver,
		questions:  t.questions,
		log:        t.log,
	}
	options.Wanted = p.isWanted
	p.mapper = mapping.NewMapper(options)
	return p
}

// run starts the goroutines of the term and ends them in the order of the path: new
// transactions first, then deliveries under way, then the connection.
func (t *term) run(ctx context.Context) error {
	crew, work := newCrew(context.WithoutCancel(ctx))
	t.startReading(work, crew, t.dispatcher.Halt)
	crew.keep(work, t.board.watch)
	crew.keep(work, t.board.makeBackfills)
	crew.start(work, func(work context.Context) error { return t.deliver(work, crew) })
	t.tellStarted()
	t.log.Info("hooktail started", "version", t.version, "profile", t.cfg.Profile, "slot", t.cfg.Slot, "ops", t.ops)
	return t.await(ctx, work, crew, t.stop)
}

// announce calls Ready once.
func (s *sidecar) announce(ctx context.Context) {
	if s.Ready == nil {
		return
	}
	_ = retry.Every(ctx, readyEvery, func() error { // returns errAnnounced or nil
		if s.role.ready() != nil {
			return nil
		}
		s.Ready(s.ops)
		s.Ready = nil
		return errAnnounced
	})
}

const readyEvery = 10 * time.Millisecond

var errAnnounced = errors.New("ready")

// deliver sends parked and new events once the slot belongs to this instance, and closes
// drained after the last one. A leader that has lost its lock keeps the slot until its
// last attempt has ended; until then the new leader sends nothing.
func (t *term) deliver(ctx context.Context, crew *crew) error {
	if !t.owned(ctx) {
		return nil
	}
	passed := func() { t.dispatcher.Passed(t.stream.Stats().Confirmed) }
	passed() // parked deliveries of later commits wait for older events, which the stream repeats
	if err := t.restore(ctx, t.parked, t.dispatcher); err != nil {
		return err
	}
	crew.keep(ctx, func(ctx context.Context) { retry.Always(ctx, passedEvery, passed) })
	crew.keep(ctx, func(ctx context.Context) { t.parked.watch(ctx, t.dispatcher, t.hooks) })
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

// passedEvery is the pause between two reports of the stream's position to the
// dispatcher.
const passedEvery = 250 * time.Millisecond
