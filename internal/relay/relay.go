package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// sidecar is one run of the program.
type sidecar struct {
	cfg      config.Config
	log      *slog.Logger
	version  string
	setup    bool
	registry *prometheus.Registry

	deliveries *dispatch.Metrics
	rows       *mapping.Metrics
	trimmed    prometheus.Counter // parkingRoom counts with it
	role       *role
	board      *board
	questions  *questions
	before     func(lanes Outlet) Outlet // Options.Outlet
	pool       *pgxpool.Pool             // set by run
	ops        string                    // address of the ops server; set by run
	memory     *memory                   // set by run
	guard      *diskGuard
	events     *natslog.Log     // set by work; nil: there is no log
	watch      *logWatch        // nil: there is no log
	written    *natslog.Metrics // nil: there is no log
	prepared   chan struct{}    // closed when hooktail's tables are there
	prepare    func()           // closes prepared
	proven     atomic.Bool      // it has streamed or stood by
	keyed      atomic.Bool      // checkKey has returned nil
	unled      logging.Repeat   // reports errors of requests for the lock
	unsent     logging.Repeat   // reports errors that end tenures
	unserved   logging.Repeat   // reports errors that end terms
	Tuning

	started func(opsAddr string) // Options.Started; nil after the call
}

func newSidecar(o Options) *sidecar {
	registry := cmp.Or(o.Registry, prometheus.NewRegistry())
	s := &sidecar{
		cfg: o.Config, log: o.Log, version: o.Version, setup: o.Setup, registry: registry, Tuning: o.Tuning, started: o.Started, before: o.Outlet,
		deliveries: dispatch.NewMetrics(registry), rows: mapping.NewMetrics(registry), role: newRole(registry), prepared: make(chan struct{}),
		guard: newDiskGuard(nil, o.Config.Slot, o.Log),
	}
	s.trimmed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hooktail_dead_dropped_total", Help: "Dead deliveries deleted because those of their hook took more space than HOOKTAIL_PARK_MAX_BYTES.",
	})
	registry.MustRegister(s.trimmed, s.guard)
	if s.cfg.NATSURL.Reveal() != "" {
		s.role.senderOnly = !s.cfg.Role.Reads()
		if s.cfg.Role.Sends() {
			s.role.idles(errors.New("starting: no partitions requested yet"))
		}
		s.watch, s.written = &logWatch{cfg: s.cfg, log: s.log, changed: make(chan struct{}, 1)}, natslog.NewMetrics(registry)
		registry.MustRegister(gauges(s.watch.metrics))
	}
	s.prepare = sync.OnceFunc(func() { close(s.prepared) })
	s.questions = newQuestions(s.log, s.ends)
	s.role.late = func() error { return s.questions.overdue(cmp.Or(s.DueLimit, dueLimit)) }
	s.board = &board{sidecar: s, began: time.Now(), asking: make(chan struct{}, 1), reading: make(chan struct{}, 1)}
	return s
}

// Run runs the program until ctx ends, and then finishes what is in flight. It returns
// the first error that waiting does not fix.
func Run(ctx context.Context, o Options) error { return newSidecar(o).run(ctx) }

// run serves probes and metrics, before it has reached the database, and leads whenever
// it can get the lock. It returns when the context has ended and everything in flight is
// finished, or at an error that ends the program.
func (s *sidecar) run(ctx context.Context) error {
	if !s.Guest {
		limitHeap(int64(s.cfg.Memory))
	}

	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	listener, err := listenOps(ctx, s.cfg.HTTPAddr)
	if err != nil {
		return err
	}
	s.ops = "off"
	if listener != nil {
		defer listener.Close()           // in case it is never served
		s.ops = listener.Addr().String() // the configured port may be 0
	}

	if s.pool, err = wiring.NewPool(ctx, s.cfg); err != nil {
		return err
	}
	defer wiring.ClosePool(s.pool)
	s.memory = &memory{positions: state.NewPositions(s.pool, s.cfg.StateSchema, s.cfg.Slot), pool: s.pool, log: s.log}

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	s.guard.db = s.pool
	wg.Go(func() { s.guard.run(ctx) })

	ops, served := s.newOps(), make(chan error, 1)
	serve := func() error {
		if listener == nil {
			return nil
		}
		if err := ops.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			cancel()
			return fmt.Errorf("serve %s: %w", s.ops, err)
		}
		return nil
	}
	go func() { served <- serve() }()
	err = s.work(ctx)
	_ = ops.Close() // no state to save
	return errors.Join(err, <-served)
}

// lead waits for the lock and serves a term, repeatedly. A term ends with the lock or
// with the database; neither ends the program.
func (s *sidecar) lead(ctx context.Context) error {
	return s.again(ctx, func() error {
		lock, err := s.awaitLock(ctx)
		if lock == nil {
			return err
		}
		s.pool.Reset() // the end of the last term may have left its connections half open
		err = s.serve(ctx, lock)
		lock.release()
		if errors.Is(err, errLockSilent) { // the server may not have missed the session yet
			s.role.losesLock(*lock.heard.Load())
		}
		return err
	}, func(err error, pause time.Duration) {
		s.role.waits(err)
		s.unserved.Failed(ctx, s.log, slog.LevelError, "Lost leadership: delivery stopped until it is regained",
			slog.Any("error", err), slog.Duration("next", pause))
	})
}

// again repeats serve until it returns nil, the caller stops it or its error ends the program.
// Other errors are told, with the pause before the next call.
func (s *sidecar) again(ctx context.Context, serve func() error, tell func(err error, pause time.Duration)) error {
	const longest = 10 * time.Second
	for pause := lockEvery; ; pause = min(2*pause, longest) {
		began := time.Now()
		err := serve()
		switch {
		case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
			return nil
		case s.ends(err):
			return err
		}
		if time.Since(began) > longest {
			pause = lockEvery
		}
		tell(s.withoutNATS(err), pause)
		if s.rest(ctx, pause) != nil {
			return nil
		}
	}
}

// readHooks loads the hooks, under the slot's snapshot if the slot is created here. It
// waits for the database and for locked tables.
func (s *sidecar) readHooks(ctx context.Context) (*hook.Set, error) {
	options := wiring.HooksOptions(s.cfg, s.log)
	if s.events == nil {
		options.Counter = s.deliveries
	}
	options.KeepUnadopted = s.cfg.AdoptOverlap > 0
	snapshot := ""
	if s.setup {
		slot, err := setup.ForRun(ctx, s.cfg, s.log)
		if err != nil {
			return nil, err
		}
		s.setup = false // a slot that is missing in a later term was lost; it must not be recreated silently
		if slot != nil {
			defer slot.Close(ctx)
			options.AtSlot, snapshot = true, slot.Snapshot
		}
	}
	var hooks *hook.Set
	err := s.questions.persist(ctx, "read the hooks", func(ctx context.Context) error {
		if err := state.Check(ctx, s.pool, s.cfg.StateSchema); err != nil {
			return err
		}
		hooks = hook.NewSet(options)
		if err := wiring.LoadHooks(ctx, s.pool, hooks, snapshot); err != nil {
			return err
		}
		return setup.Recall(ctx, s.pool, hooks, s.cfg)
	})
	if err != nil {
		return nil, cdc.Explain(err, &s.pool.Config().ConnConfig.Config)
	}
	s.prepare()
	return hooks, nil
}

// loadHooks reads the present hooks.
func (s *sidecar) loadHooks(ctx context.Context, hooks *hook.Set) error {
	return s.questions.persist(ctx, "read the hooks", func(ctx context.Context) error { return wiring.LoadHooks(ctx, s.pool, hooks, "") })
}
