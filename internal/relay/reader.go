package relay

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// readerTerm is a term of a reader, which writes events to the log. It has no lanes.
type readerTerm struct {
	*term
	writer   *natslog.Writer
	aside    *aside // before writer
	holdback *natslog.Holdback
}

// serveReader is serve for a reader: a straight line from the lock to the last batch.
func (s *sidecar) serveReader(ctx context.Context, lock *lock) (err error) {
	s.role.takesOver()
	t := &readerTerm{term: &term{sidecar: s, lock: lock, drained: make(chan struct{})}}
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.parked.Close()
	t.beat = newHeartbeat(s.pool, s.BeatEvery, s.log)
	stored := state.NewLog(t.parked.Pool, s.cfg.StateSchema, s.cfg.Slot)
	if err := s.knowsLog(ctx, stored); err != nil {
		return err
	}
	topic, err := s.events.OpenTopic(ctx)
	if err != nil {
		return err
	}
	t.writer, err = natslog.NewWriter(ctx, s.events, natslog.WriterOptions{Prefix: t.prefix, Store: stored.Store, Topic: topic, Log: s.log, Metrics: s.written})
	if err != nil {
		return err
	}
	t.holdback = natslog.NewHoldback(t.writer, time.Duration(s.cfg.NATSSync), s.log)
	t.hold = t.holdback.Hold
	t.follows = func(slot *cdc.Slot) error { return t.writer.Follows(slot.Timeline, slot.Written) }
	if t.stream, err = t.newStream(); err != nil {
		return err
	}
	t.aside = newAside(t.writer, s.questions, int(s.cfg.Memory)/wiring.BatchShare)
	t.outlet, t.overlap = t.aside, newOverlap(s.cfg, s.log)
	t.pipeline = t.newPipeline()
	t.pipeline.news = newNews(t.writer, topic)
	t.hooks.OnChange(t.pipeline.news.changed)
	defer t.hooks.OnChange(nil)

	s.role.leads(t.stream, t.beat, s.memory)
	defer s.role.rests()
	s.watch.reads(t)
	defer s.watch.reads(nil)
	return t.run(ctx, stored)
}

// run is term.run without lanes.
func (t *readerTerm) run(ctx context.Context, stored *state.Log) error {
	crew, work := newCrew(context.WithoutCancel(ctx))
	t.startReading(work, crew, func() {})
	crew.start(work, t.holdback.Run)
	crew.start(work, func(work context.Context) error { return t.checkLog(work, stored) })
	crew.keep(work, func(work context.Context) { t.noteEnd(work, stored) })
	crew.keep(work, func(work context.Context) { t.purge(work, stored) })
	crew.start(work, t.aside.run)
	crew.start(work, t.deliver)
	t.tellStarted()
	t.log.Info("hooktail started", "version", t.version, "role", t.cfg.Role, "profile", t.cfg.Profile, "slot", t.cfg.Slot, "log", t.events.Names().Stream, "ops", t.ops)
	return t.await(ctx, work, crew, t.stop)
}

// deliver writes events to the log once the slot belongs to this instance. It closes drained
// after the last one.
func (t *readerTerm) deliver(ctx context.Context) error {
	if !t.owned(ctx) {
		return nil
	}
	if err := t.pipeline.deliver(ctx); err != nil {
		return err
	}
	if err := t.aside.Drain(ctx); err != nil {
		return err
	}
	close(t.drained)
	return nil
}

// stop ends the term in order: it stops reading, and waits until all events that were read
// are in the log.
func (t *readerTerm) stop(failed <-chan struct{}) {
	select {
	case <-t.stream.Started():
	default:
		return // nothing was read
	}
	t.stream.StopReading()
	t.pipeline.settler.Flush()
	grace := time.NewTimer(t.cfg.Grace)
	defer grace.Stop()
	select {
	case <-t.drained:
	case <-failed:
	case <-grace.C:
		t.log.Warn("Grace period is over: the next reader reads again what is not in the log", "transactions", t.stream.Stats().Outstanding)
	}
}

// purgeEvery is how often the log is purged.
const purgeEvery = 30 * time.Second

// purge deletes messages that are no longer needed, until ctx ends.
func (t *readerTerm) purge(ctx context.Context, stored *state.Log) {
	purger := natslog.NewPurger(t.events, t.holdback, t.cfg.Keep)
	_ = retry.Every(ctx, purgeEvery, func() error { // which returns none
		needed, err := purger.Run(ctx, t.stream.Stats().Recorded)
		if err == nil && needed.After > 0 {
			err = stored.Purge(ctx, needed.After, needed.Events)
		}
		if err != nil && ctx.Err() == nil {
			t.log.Warn("The log was not purged; trying again", "error", err, "next", purgeEvery)
		}
		return nil
	})
}
