package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) runCommand() *cobra.Command {
	var setup bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Deliver webhooks until told to stop (the default command)",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			return a.sidecar(cfg, a.logger(cfg), setup).run(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&setup, "setup", false, "make publication and slot first where they are missing")
	return cmd
}

// sidecar is one run of the program.
type sidecar struct {
	cfg      config.Config
	log      *slog.Logger
	setup    bool
	registry *prometheus.Registry

	deliveries     *dispatch.Metrics
	statusInterval time.Duration // 0: the stream's default
	countShare     float64       // 0: the mapping's default

	// started is called, if set, when slot and hooks are there: from then on no
	// change is missed.
	started func(opsAddr string)
}

func (a *app) sidecar(cfg config.Config, log *slog.Logger, setup bool) *sidecar {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &sidecar{
		cfg: cfg, log: log, setup: setup, registry: registry,
		deliveries: dispatch.NewMetrics(registry), statusInterval: a.statusInterval, countShare: a.countShare,
	}
}

// The memory bound is shared out: rows that are on their way to the lanes, and
// bodies in the lanes; the rest is for what is in hand.
const (
	partShare   = 64 // one part of a transaction
	rowsShare   = 8
	bodiesShare = 4
)

// run is the program in one straight line. It returns when the context has
// ended and what was in flight is finished, or at the first fault that waiting
// does not mend.
func (s *sidecar) run(ctx context.Context) error {
	debug.SetMemoryLimit(int64(s.cfg.Memory))

	ops, err := listenOps(ctx, s.cfg.HTTPAddr)
	if err != nil {
		return err
	}
	defer ops.close()

	pool, err := openPool(ctx, s.cfg)
	if err != nil {
		return err
	}
	defer pool.Close()

	hooks, err := s.hooks(ctx, pool)
	if err != nil {
		return err
	}

	parked, err := openParking(ctx, s.cfg, s.log)
	if err != nil {
		return err
	}
	defer parked.close()

	beat := newHeartbeat(pool, s.log)
	reading, err := s.streamOptions()
	if err != nil {
		return err
	}
	reading.OnHeartbeat = beat.received
	stream := cdc.New(reading)
	guard := newDiskGuard(pool, s.cfg.Slot, s.log)
	registerStream(s.registry, stream, beat, guard)

	sender, err := s.sender(parked.signing.of)
	if err != nil {
		return err
	}
	defer sender.Close()
	dispatcher := dispatch.New(dispatch.Options{
		Hooks:       hooks,
		Sender:      sender,
		Concurrency: s.cfg.HookConcurrency,
		MaxBytes:    int64(s.cfg.Memory) / bodiesShare,
		Retry:       dispatch.Policy{RetryFor: s.cfg.RetryFor, MaxAttempts: s.cfg.MaxAttempts},
		Store:       parked.store,
		MaxParked:   int64(s.cfg.ParkMaxBytes),
		Log:         s.log,
		Metrics:     s.deliveries,
	})
	defer dispatcher.Close()
	if err := parked.restore(ctx, dispatcher); err != nil {
		return err
	}

	options := s.mappingOptions()
	p := &pipeline{
		stream:     stream,
		hookTables: hookTablesOf(s.cfg),
		hooks:      hooks,
		mapper:     mapping.NewMapper(options),
		locator:    mapping.NewLocator(pool, options),
		settler:    mapping.NewSettler[*wanted](),
		renderer:   mapping.NewRenderer(pool, options),
		dispatcher: dispatcher,
		settle:     s.cfg.Settle,
		handedOver: beat.handedOver,
		log:        s.log,
	}
	return s.supervise(ctx, p, beat, guard, parked, ops)
}

// supervise runs the goroutines of the program and ends them in the order of
// the path: no new transactions, then what is on its way, then the connection.
func (s *sidecar) supervise(ctx context.Context, p *pipeline, beat *heartbeat, guard *diskGuard, parked *parkingRoom, ops *opsServer) error {
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
	start(func() error { return p.stream.Run(work) })
	start(func() error { return p.take(work) })
	start(func() error { return beat.run(work) })
	start(func() error { guard.run(work); return nil })
	start(func() error { parked.watch(work, p.dispatcher, p.hooks); return nil })
	start(func() error { parked.expire(work); return nil })
	start(func() error { return ops.serve(s.registry, func() error { return beat.ready(p.stream) }) })
	start(func() error {
		if err := p.deliver(work); err != nil {
			return err
		}
		if err := p.dispatcher.Drain(work); err != nil {
			return err
		}
		close(drained)
		return nil
	})
	if s.started != nil {
		s.started(ops.addr())
	}
	s.log.Info("hooktail started", "version", version(), "profile", s.cfg.Profile, "slot", s.cfg.Slot, "ops", ops.addr())

	select {
	case <-work.Done():
	case <-ctx.Done():
		s.stop(p, drained, work.Done())
		cancel(errStopped)
	}
	ops.close()
	wg.Wait()
	if err := context.Cause(work); !errors.Is(err, errStopped) {
		return err
	}
	s.log.Info("hooktail stopped", "confirmed", p.stream.Stats().Recorded)
	return nil
}

var errStopped = errors.New("stopped")

// stop is the orderly end, little longer than the grace period: nothing new is
// read, and what is on its way is delivered. What waits for another attempt is
// parked at once, and all that is unfinished at the end, so that the slot can be
// confirmed.
func (s *sidecar) stop(p *pipeline, drained, failed <-chan struct{}) {
	s.log.Info("stopping: finishing what is in flight", "grace", s.cfg.Grace)
	grace := time.NewTimer(s.cfg.Grace)
	defer grace.Stop()
	p.stream.StopReading()
	p.settler.Flush()
	p.dispatcher.Hasten()
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

// hooks loads the hooks, under the snapshot of the slot where it is made here.
func (s *sidecar) hooks(ctx context.Context, pool *pgxpool.Pool) (*dispatch.Hooks, error) {
	options := hooksOptions(s.cfg, s.log)
	options.Metrics = s.deliveries
	snapshot := ""
	if s.setup {
		slot, err := setUp(ctx, s.cfg, s.log)
		if err != nil {
			return nil, err
		}
		if slot != nil {
			defer slot.close(ctx)
			options.AtSlot, snapshot = true, slot.snapshot
		}
	}
	if err := parking.Check(ctx, pool, s.cfg.StateSchema); err != nil {
		return nil, err
	}
	hooks := dispatch.NewHooks(options)
	if err := loadHooks(ctx, pool, hooks, snapshot); err != nil {
		return nil, err
	}
	return hooks, nil
}

// streamOptions are those of the program's own stream.
func (s *sidecar) streamOptions() (cdc.Options, error) {
	options, err := connectionOptions(s.cfg)
	if err != nil {
		return cdc.Options{}, err
	}
	return cdc.Options{
		Config:         options,
		Slot:           s.cfg.Slot,
		Publication:    s.cfg.Publication,
		Tables:         planOf(s.cfg, identityDefault).Tables,
		PartBytes:      int(s.cfg.Memory) / partShare,
		QueueBytes:     int(s.cfg.Memory) / rowsShare,
		StatusInterval: s.statusInterval,
		Log:            s.log,
	}, nil
}

func (s *sidecar) mappingOptions() mapping.Options {
	return mapping.Options{
		Tables: mapping.Tables{
			Schema: s.cfg.SourceSchema, Project: s.cfg.ProjectTable, Task: s.cfg.TaskTable, Annotation: s.cfg.AnnotationTable,
		},
		Profile:     mapping.Profile(s.cfg.Profile),
		SendSecrets: s.cfg.SendSecrets,
		DeletedRows: s.cfg.Deleted == config.DeletedRow,
		Settle:      s.cfg.Settle,
		CountShare:  s.countShare,
		Log:         s.log,
		Metrics:     mapping.NewMetrics(s.registry),
	}
}

func (s *sidecar) sender(secrets func(hook int64) ([]dispatch.SigningKey, error)) (*dispatch.Sender, error) {
	egress, err := dispatch.ParseEgress(s.cfg.Egress.String())
	if err != nil {
		return nil, usageError{fmt.Errorf("HOOKTAIL_EGRESS: %w", err)}
	}
	tls, err := s.cfg.ClientTLS()
	if err != nil {
		return nil, err
	}
	proxy, err := s.proxy()
	if err != nil {
		return nil, err
	}
	return dispatch.NewSender(dispatch.SenderOptions{
		Timeout: s.cfg.Timeout, Egress: egress, Concurrency: s.cfg.HookConcurrency, Version: version(),
		TLS: tls, Proxy: proxy, Secrets: secrets,
	}), nil
}

// proxy is which proxy the receivers are reached through: none unless the
// configuration asks for one.
func (s *sidecar) proxy() (dispatch.ProxyFunc, error) {
	proxy, environment := s.cfg.ProxyURL()
	switch {
	case proxy != nil:
		return http.ProxyURL(proxy), nil
	case !environment:
		return nil, nil
	}
	for _, scheme := range []string{"http", "https"} {
		if _, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: "receiver.invalid"}}); err != nil {
			return nil, usageError{errors.New("HOOKTAIL_PROXY=environment: HTTP_PROXY or HTTPS_PROXY is no URL")} // err may quote credentials
		}
	}
	return http.ProxyFromEnvironment, nil
}
