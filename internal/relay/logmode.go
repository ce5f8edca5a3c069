package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

const (
	natsEvery     = time.Second     // pause between attempts to reach servers that are away
	checkLogEvery = 2 * time.Second // how often a running instance checks that the log is still the slot's
)

// work runs the instance's role until ctx ends. Without a log it leads and delivers. With a
// log it reads the slot, or delivers from the log, or both. A connection that the client has given up is
// replaced.
func (s *sidecar) work(ctx context.Context) error {
	if s.cfg.NATSURL.Reveal() == "" {
		return s.lead(ctx)
	}
	var refused logging.Repeat
	for {
		log, err := s.openLog(ctx)
		if log == nil {
			return err
		}
		if err = s.workWith(ctx, log); err != nil || ctx.Err() != nil {
			return err
		}
		refused.Failed(ctx, s.log, slog.LevelError, "NATS has ended the connection: opening another one", slog.Any("error", log.Fault()), slog.Duration("next", natsEvery))
		if retry.Sleep(ctx, natsEvery) != nil {
			return nil
		}
	}
}

// workWith runs the instance's role with the log until ctx or the log's connection ends, and closes the log.
func (s *sidecar) workWith(ctx context.Context, log *natslog.Log) error {
	defer log.Close()
	s.events = log
	s.role.set(func() { s.role.away = func() error { return isAway(log) } })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.watch.run(ctx, log, s.pool, cmp.Or(s.SurveyEvery, surveyEvery)) })
	wg.Go(func() {
		defer cancel()
		select {
		case <-log.Ended():
		case <-ctx.Done():
		}
	})
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
// are away, and, once the program has worked, for servers that refuse the configuration: its files may
// be replaced. If ctx ends first, it returns nil.
func (s *sidecar) openLog(ctx context.Context) (*natslog.Log, error) {
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
			return log, nil
		case !s.isProven() && s.ends(err):
			return nil, err
		}
		s.role.fails(fmt.Errorf("waiting for NATS: %w", err))
		if s.cfg.Role.Sends() {
			s.role.cannotSend(err)
		}
		s.unled.Failed(ctx, s.log, slog.LevelError, "Cannot reach NATS: trying again", slog.Any("error", err), slog.Duration("every", natsEvery))
		if retry.Sleep(ctx, natsEvery) != nil {
			return nil, nil
		}
	}
}

// withoutNATS is the error of an instance whose log is away, which is then its reason.
func (s *sidecar) withoutNATS(err error) error {
	if s.events == nil {
		return err
	}
	if away := isAway(s.events); away != nil {
		return fmt.Errorf("%w (%w)", away, err)
	}
	return err
}

// isAway says that NATS is away, and why if that is known; nil if it is not.
func isAway(log *natslog.Log) error {
	fault := log.Fault()
	switch {
	case log.Connected():
		return nil
	case fault != nil:
		return fmt.Errorf("%w: %w", errNATSAway, fault)
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

// knowsLog returns an error if the log is not the slot's, or not this database's.
func (l *lanes) knowsLog(ctx context.Context) error {
	if err := setup.CheckLog(ctx, l.cfg, l.events, l.entries); err != nil {
		return err
	}
	return wiring.CheckLogOwner(ctx, l.events, l.pool, l.cfg.Role.Reads())
}

// logGap ends the program as a *cdc.Gap does. The log shows it for as long as it lasts, so
// it is not recorded with the position.
type logGap struct{ gap *cdc.Gap }

func (g *logGap) Error() string { return g.gap.Error() }

// checkLog returns a *logGap when the stream or the bucket was deleted or created again, or
// when the stream has lost its end. Otherwise it returns nil when ctx ends.
func (l *lanes) checkLog(ctx context.Context) error {
	return retry.Every(ctx, checkLogEvery, func() error {
		within, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		err := setup.CheckLog(within, l.cfg, l.events, l.entries)
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return &logGap{gap}
		}
		return nil // others report that NATS or the database does not answer
	})
}
