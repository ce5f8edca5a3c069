package relay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// backfillEvery is the pause between the requests of a backfill requested on the page.
const backfillEvery = 10 * time.Millisecond

// backfills runs the backfills requested on the page, one at a time. It is safe for
// concurrent use.
type backfills struct {
	asked chan *backfill // holds the backfill to begin next

	mu   sync.Mutex
	last *backfill // the running one, or the last one; nil: none yet
}

func newBackfills() *backfills { return &backfills{asked: make(chan *backfill, 1)} }

// backfill is one of them. Its state is guarded by the lock of backfills.
type backfill struct {
	of    *replay.Backfill
	stop  chan struct{}   // closed to end the backfill
	state status.Backfill // as shown on the page
}

// run carries out requested backfills until the context ends.
func (b *backfills) run(ctx context.Context) {
	for {
		select {
		case job := <-b.asked:
			b.make(ctx, job)
		case <-ctx.Done():
			select {
			case job := <-b.asked:
				job.of.Close()
			default:
			}
			return
		}
	}
}

func (b *backfills) make(ctx context.Context, job *backfill) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-job.stop:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watching.Wait()
	defer cancel()
	err := job.of.Run(ctx)
	job.of.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	job.state.Ended, job.state.Events, job.state.Last = time.Now().UTC(), job.of.Events, job.of.Last
	switch {
	case ctx.Err() != nil && err != nil:
		job.state.Error = "stopped"
	case err != nil:
		job.state.Error = err.Error()
	}
}

// begin accepts a backfill unless another one is running.
func (b *backfills) begin(job *backfill) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil && b.last.state.Ended.IsZero() {
		return false
	}
	b.last = job
	b.asked <- job // does not block: the previous one has ended
	return true
}

// end ends the running backfill and reports whether there was one.
func (b *backfills) end() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil || !b.last.state.Ended.IsZero() {
		return false
	}
	select {
	case <-b.last.stop:
	default:
		close(b.last.stop)
	}
	return true
}

// shown returns the running backfill or the last one; nil: none yet.
func (b *backfills) shown() *status.Backfill {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		return nil
	}
	state := b.last.state
	return &state
}

// steps receives the progress of a backfill.
type steps struct {
	*backfills
	job *backfill
}

// Step implements replay.Progress.
func (s steps) Step(id int64, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.job.state.Done++
	s.job.state.Last = id
}

// End implements replay.Progress.
func (s steps) End() {}

// backfill counts the events and, except in a dry run, has them sent.
func (b *board) backfill(ctx context.Context, s *shown, a status.Action) (status.Done, error) {
	options := wiring.MappingOptions(b.cfg, b.log)
	options.CountShare = b.CountShare
	rows, err := mapping.NewBackfill(s.parked.Pool, options, mapping.Action(a.Action), mapping.BackfillRows{Project: a.Project, Since: a.Since})
	if err != nil {
		return status.Done{}, &status.Problem{Why: err.Error()}
	}
	job := &backfill{stop: make(chan struct{}), state: status.Backfill{Hook: a.Hook, Project: a.Project, Action: a.Action, Began: time.Now().UTC()}}
	job.of, err = replay.NewBackfill(ctx, replay.BackfillOptions{
		Config: b.cfg, Version: b.version, Parked: s.parked.Parked, Mapping: options, Rows: rows,
		Hook: a.Hook, Project: a.Project, Every: backfillEvery,
		Progress: func(total int64) replay.Progress {
			job.state.Total = total
			return steps{s.backfills, job}
		},
	})
	if err != nil {
		if is[*pgconn.PgError](err) || ctx.Err() != nil {
			return status.Done{}, err
		}
		return status.Done{}, &status.Problem{Why: err.Error()}
	}
	done := status.Done{Count: job.state.Total, Message: fmt.Sprintf("hook %d would get events of up to %s", a.Hook, display.Count(job.state.Total, "row"))}
	if a.DryRun {
		job.of.Close()
		return done, nil
	}
	if !s.backfills.begin(job) {
		job.of.Close()
		return status.Done{}, &status.Problem{Why: "another backfill is running: wait for it, or stop it"}
	}
	done.Message = fmt.Sprintf("hook %d gets events of up to %s", a.Hook, display.Count(done.Count, "row"))
	return done, nil
}
