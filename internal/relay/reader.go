package relay

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

const (
	purgeEvery = 30 * time.Second // how often the log is purged
	noteEvery  = 10 * time.Second // how often a reader notes how far the log is on the servers' disks
)

// openLog prepares a reader's term to write to the log.
func (t *term) openLog(ctx context.Context) error {
	if err := t.knowsLog(ctx); err != nil {
		return err
	}
	topic, err := t.events.OpenTopic(ctx)
	if err != nil {
		return err
	}
	prefix := func() natslog.Prefix {
		stats := t.stream.Stats()
		return natslog.Prefix{Timeline: stats.Timeline, LSN: stats.Confirmed}
	}
	t.writer, err = natslog.NewWriter(ctx, t.events, natslog.WriterOptions{Prefix: prefix, Store: t.entries.Store, Topic: topic, Log: t.log, Metrics: t.written})
	if err != nil {
		return err
	}
	t.holdback = natslog.NewHoldback(t.writer, time.Duration(t.cfg.NATSSync), t.log)
	t.news = newNews(t.writer, topic)
	t.hooks.OnChange(t.news.changed)
	t.aside = newAside(t.writer, t.questions, int(t.cfg.Memory)/wiring.BatchShare)
	t.outlet = t.aside
	return nil
}

// purge deletes messages that are no longer needed, until ctx ends.
func (t *term) purge(ctx context.Context) {
	purger := natslog.NewPurger(t.events, t.holdback, t.cfg.Keep)
	retry.Always(ctx, purgeEvery, func() { // the first time, nothing is known to be on disk
		needed, err := purger.Run(ctx, t.stream.Stats().Recorded)
		if err == nil && needed.After > 0 {
			err = t.entries.Purge(ctx, needed.After, needed.Events)
		}
		if err != nil && ctx.Err() == nil {
			t.log.Warn("The log was not purged; trying again", "error", err, "next", purgeEvery)
		}
	})
}

// noteEnd notes the sequence that the log must not lose, until ctx ends.
func (t *term) noteEnd(ctx context.Context) {
	var noted uint64
	retry.Always(ctx, noteEvery, func() {
		end := t.holdback.End()
		if end == noted {
			return
		}
		if err := t.entries.NoteEnd(ctx, end); err == nil {
			noted = end
		} else if ctx.Err() == nil {
			t.log.Debug("Cannot note the end of the log", "error", err)
		}
	})
}
