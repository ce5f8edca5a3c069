package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	s.role.hasLog(s.logFault)
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

// withoutNATS is the error of an instance whose log is away, which is then its reason.
func (s *sidecar) withoutNATS(err error) error {
	if s.events == nil || s.events.Connected() {
		return err
	}
	return fmt.Errorf("%w (%w)", errNATSAway, err)
}

// logFault says that NATS is away, nil if it is not.
func (s *sidecar) logFault() error {
	if s.events.Connected() {
		return nil
	}
	return errNATSAway
}

var errNATSAway = errors.New("NATS cannot be reached")

// rest waits before the next attempt: for the pause or, while NATS is away, until it is back.
func (s *sidecar) rest(ctx context.Context, pause time.Duration) error {
	if s.events == nil || s.events.Connected() {
		return retry.Sleep(ctx, pause)
	}
	for !s.events.Connected() {
		if err := retry.Sleep(ctx, lockEvery); err != nil {
			return err
		}
	}
	return nil
}

// natsEvery is the interval between attempts to reach servers that are away.
const natsEvery = time.Second

// prefix returns the reader's position for the log.
func (t *term) prefix() natslog.Prefix {
	stats := t.stream.Stats()
	return natslog.Prefix{Timeline: stats.Timeline, LSN: stats.Confirmed}
}
