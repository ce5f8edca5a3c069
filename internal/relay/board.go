package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/status"
)

// board holds what the ops server shows of this instance, and carries out the page's
// actions. It outlives the terms of leadership; between terms it refuses actions. It is
// safe for concurrent use.
type board struct {
	*sidecar
	began   time.Time
	asking  chan struct{} // allows one query to the database at a time
	reading chan struct{} // allows one page at a time to read the log

	mu    sync.Mutex
	shown *shown // nil: this instance is not the leader
}

// shown is the term to show.
type shown struct {
	lanes
	sieve     *sieve
	overlap   *hook.Overlap // nil: there is none
	past      *natslog.Log  // with delivered events; nil: there is none
	began     time.Time
	pace      tempo
	series    series
	backfills *backfills
	stopping  bool // guarded by the board
}

// show sets the term to show, which begins now; nil: no term.
func (b *board) show(s *shown) {
	if s != nil {
		s.began, s.backfills = time.Now(), newBackfills()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shown = s
}

// stops records that the term is ending.
func (b *board) stops() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown != nil {
		b.shown.stopping = true
		b.shown.backfills.end()
	}
}

func (b *board) current() (s *shown, stopping bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shown, b.shown != nil && b.shown.stopping
}

// serve starts the goroutines of the shown term: rates are measured, backfills made.
func (b *board) serve(work context.Context, crew *crew) {
	s, _ := b.current()
	crew.keep(work, s.backfills.run)
	crew.keep(work, func(work context.Context) {
		retry.Always(work, paceEvery, func() {
			now, role := time.Now(), b.role.now()
			s.pace.note(role.stats(), s.dispatcher, now)
			s.series.note(now, func() figures { return b.figures(s) })
		})
	})
}

// ask lets one page at a time query the database, so that many open pages do not use up
// the connections of the lanes.
func (b *board) ask(ctx context.Context, f func(*parkingRoom) error) error {
	s, _ := b.current()
	if s == nil {
		return status.ErrStandby
	}
	select {
	case b.asking <- struct{}{}:
		defer func() { <-b.asking }()
		return f(s.parked)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stored implements status.Program.
func (b *board) Stored(ctx context.Context, f state.Filter) ([]status.Stored, error) {
	var out []status.Stored
	err := b.ask(ctx, func(p *parkingRoom) error {
		rows, err := p.Store.List(ctx, f)
		for i := range rows {
			out = append(out, status.StoredOf(&rows[i]))
		}
		return err
	})
	return out, err
}

// Payload implements status.Program. The caller has checked that payloads may be shown.
func (b *board) Payload(ctx context.Context, p status.Payload) (body []byte, err error) {
	if p.Seq != 0 {
		if s, _ := b.current(); s != nil {
			return s.dispatcher.Body(p.Seq), nil
		}
		return nil, status.ErrStandby
	}
	if p.Position != 0 {
		_, again, err := b.logged(ctx, p.Hook, p.Position)
		return again.Body.Bytes(), err
	}
	err = b.ask(ctx, func(room *parkingRoom) error {
		rows, err := room.Store.Show(ctx, p.Hook, p.Event)
		if len(rows) > 0 {
			body = rows[0].Body.Bytes()
		}
		return err
	})
	return body, err
}

// Act implements status.Program. The caller has checked that actions are allowed.
func (b *board) Act(ctx context.Context, a status.Action) (status.Done, error) {
	s, _ := b.current()
	if s == nil {
		return status.Done{}, status.ErrStandby
	}
	hook, known := s.hooks.Hook(a.Hook)
	switch {
	case a.Do == status.Redrive, a.Do == status.Discard: // stored deliveries may outlive their hook
		return b.change(ctx, a)
	case !known:
		return status.Done{}, &status.Problem{Why: fmt.Sprintf("hook %d no longer exists", a.Hook)}
	}
	switch a.Do {
	case status.Pause:
		return status.Done{Message: fmt.Sprintf("hook %d is paused: its events are parked", a.Hook)}, s.parked.Store.Pause(ctx, a.Hook)
	case status.Resume:
		err := Resume(ctx, s.parked.Store, a.Hook, int64(b.cfg.ParkMaxBytes))
		if full, ok := errors.AsType[*FullError](err); ok {
			err = &status.Problem{Why: fmt.Sprintf("hook %d %s", a.Hook, full)}
		}
		return status.Done{Message: fmt.Sprintf("hook %d is resumed", a.Hook)}, err
	case status.Retry:
		done, err := Retry(ctx, s.parked.Store, hook)
		return status.Done{Message: fmt.Sprintf("hook %d %s", a.Hook, done)}, err
	case status.Adopt:
		return b.adopt(ctx, s, hook)
	case status.Release:
		return b.release(ctx, s, hook)
	case status.StartBackfill:
		return b.backfill(ctx, s, a)
	case status.StopBackfill:
		if !s.backfills.end() {
			return status.Done{}, &status.Problem{Why: "no backfill is running"}
		}
		return status.Done{Message: "the backfill is stopped"}, nil
	default:
		return b.exchange(ctx, s, hook, a)
	}
}
