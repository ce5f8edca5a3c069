package relay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// work runs the instance's role until ctx ends. Without a log it leads and delivers. With a
// log it reads the slot, or delivers from the log, or both.
func (s *sidecar) work(ctx context.Context) error {
	if s.cfg.NATSURL.Reveal() == "" {
		return s.lead(ctx)
	}
	if err := s.openLog(ctx); err != nil || s.events == nil {
		return err
	}
	defer s.events.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.watch.run(ctx, s.events, s.pool, cmp.Or(s.SurveyEvery, surveyEvery)) })
	var reading, sending error
	if s.cfg.Role.Reads() {
		wg.Go(func() {
			defer cancel()
			reading = s.lead(ctx)
		})
	}
	if s.cfg.Role.Sends() {
		wg.Go(func() {
			defer cancel()
			sending = s.send(ctx)
		})
	}
	wg.Wait()
	return errors.Join(reading, sending)
}

// openLog connects to the log, and creates it if this run sets up. It waits for servers that
// are away, but not for servers that refuse the configuration. If ctx ends first, it returns
// nil and events stays nil.
func (s *sidecar) openLog(ctx context.Context) error {
	for {
		log, err := wiring.OpenLog(s.cfg, s.log)
		if err == nil && s.setup {
			if err = log.SetUp(ctx); err != nil {
				log.Close()
			}
		}
		switch {
		case err == nil:
			s.unled.Worked(ctx, s.log, "NATS answers again")
			s.events = log
			return nil
		case s.ends(err):
			return err
		}
		s.role.cannot(err)
		s.unled.Failed(ctx, s.log, slog.LevelError, "Cannot reach NATS: trying again", slog.Any("error", err), slog.Duration("every", natsEvery))
		if retry.Sleep(ctx, natsEvery) != nil {
			return nil
		}
	}
}

// natsEvery is the interval between attempts to reach servers that are away.
const natsEvery = time.Second

// prefix returns the reader's position for the log.
func (t *term) prefix() natslog.Prefix {
	stats := t.stream.Stats()
	return natslog.Prefix{Timeline: stats.Timeline, LSN: stats.Confirmed}
}
