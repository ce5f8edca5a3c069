package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
)

// send takes partitions of the log and delivers their events until ctx ends. A sender has one
// tenure at a time, for all of its partitions. When its share changes, the tenure ends in
// order and another one begins.
func (s *sidecar) send(ctx context.Context) error {
	if s.setup && s.cfg.Role.Reads() {
		select {
		case <-s.prepared:
		case <-ctx.Done():
			return nil
		}
	}
	if !s.cfg.Role.Reads() {
		s.log.Info("hooktail started", "version", s.version, "role", s.cfg.Role, "slot", s.cfg.Slot, "log", s.events.Names().Stream, "ops", s.ops)
	}
	return s.again(ctx, func() error {
		err := s.sendLeased(ctx)
		if ctx.Err() != nil {
			return nil // told to stop
		}
		return err
	}, func(err error, pause time.Duration) {
		s.role.cannotSend(err)
		s.unsent.Failed(ctx, s.log, slog.LevelError, "Sending stopped: trying again", slog.Any("error", err), slog.Duration("next", pause))
	})
}

// sendLeased joins the senders and serves tenures, one after another, until the session is
// lost or ctx ends.
func (s *sidecar) sendLeased(ctx context.Context) error {
	if err := state.Check(ctx, s.pool, s.cfg.StateSchema); err != nil {
		return err
	}
	lease, err := s.newLease(ctx)
	if err != nil {
		return err
	}
	defer lease.release()
	s.proven.Store(true)
	for above := int64(0); ; {
		partitions := lease.wanted()
		share, err := lease.own(ctx, partitions, above)
		if err != nil {
			return err
		}
		if len(partitions) == 0 {
			s.role.idles(nil)
			s.unsent.Worked(ctx, s.log, "Sending resumed")
			select {
			case <-lease.moved:
				continue
			case <-lease.ended:
				return lease.err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err = s.serveShare(ctx, lease, share)
		ahead, isAhead := errors.AsType[*natslog.AheadError](err)
		switch {
		case isAhead: // if this sender is deposed, its session is lost, and own fails
			above = ahead.Epoch
		case errors.Is(err, natslog.ErrRewound):
			s.log.Warn("The log has lost its end: reading it again from the bookmarks", "error", err)
		case err != nil:
			return err
		case ctx.Err() != nil:
			return nil
		}
	}
}

const (
	// markEvery is how often the bookmarks are written: what is delivered in that time is
	// repeated after a crash. With the time that writing takes, it stays below a second.
	markEvery  = 500 * time.Millisecond
	markWithin = 10 * time.Second // limit for writing all of them
)

// mark writes the bookmarks that have changed, and returns the first error. The next call writes those that
// failed.
func (t *tenure) mark(ctx context.Context) error {
	var failed error
	for p, progress := range t.tail.Progress() {
		mark, changed := progress.Bookmark()
		var err error
		switch {
		case changed:
			mark.Epoch = t.share.Epoch
			if err = t.bookmarks.Write(ctx, p, mark); err != nil {
				progress.Lost()
			}
		case progress.Hole() != nil: // `hooktail repair` writes the bookmark
			err = t.bookmarks.Check(ctx, p)
		}
		if errors.Is(err, state.ErrDeposed) {
			return err
		}
		failed = cmp.Or(failed, err)
	}
	return failed
}

// markAlways repeats mark until ctx ends or another sender has taken a partition.
func (t *tenure) markAlways(ctx context.Context) error {
	every := cmp.Or(t.MarkEvery, markEvery)
	return retry.Every(ctx, every, func() error {
		within, cancel := context.WithTimeout(ctx, markWithin)
		defer cancel()
		err := t.mark(within)
		switch {
		case errors.Is(err, state.ErrDeposed):
			return err
		case err != nil && ctx.Err() == nil:
			t.unmarked.Failed(ctx, t.log, slog.LevelError, "Bookmarks were not written; trying again", slog.Any("error", err), slog.Duration("next", every))
		case err == nil:
			t.unmarked.Worked(ctx, t.log, "Bookmarks are written again")
		}
		return nil
	})
}

// holes returns an error that names a stopped partition, nil if there is none.
func (t *tenure) holes() error {
	if holes := t.stopped(); len(holes) > 0 {
		return fmt.Errorf("a partition has stopped: %w", holes[0])
	}
	return nil
}

// stopped lists the holes of the partitions that have stopped.
func (t *tenure) stopped() (holes []*natslog.Hole) {
	for _, progress := range t.tail.Progress() {
		if hole := progress.Hole(); hole != nil {
			holes = append(holes, hole)
		}
	}
	return holes
}
