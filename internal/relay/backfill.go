package relay

import (
	"context"
	"errors"
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

// backfillEvery is the pause between requests of a backfill that the page has asked for.
const backfillEvery = 10 * time.Millisecond

// backfills are those that people have asked for on the page, one at a time. It is safe
// for concurrent use.
type backfills struct {
	asked chan *backfill // has the one that is to begin

	mu   sync.Mutex
	last *backfill // runs, or has ended last; nil: there was none
}

func newBackfills() *backfills { return &backfills{asked: make(chan *backfill, 1)} }

// backfill is one of them. The lock of backfills guards its state.
type backfill struct {
	of    *replay.Backfill
	stop  chan struct{}   // closed by whoever wants it to end
	state status.Backfill // as the page shows it
}

// run makes what is asked for until the context ends.
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
	defer cancel()
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

// begin takes a backfill on, unless another one runs.
func (b *backfills) begin(job *backfill) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last != nil && b.last.state.Ended.IsZero() {
		return false
	}
	b.last = job
	b.asked <- job // has room: the one before has ended
	return true
}

// end has the backfill end, and reports whether one runs.
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

// shown is the one that runs, or ended last; nil: there was none.
func (b *backfills) shown() *status.Backfill {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last == nil {
		return nil
	}
	state := b.last.state
	return &state
}

// steps is told of rows that are done.
type steps struct {
	*backfills
	job *backfill
}

// Step is for replay.Progress.
func (s steps) Step(id int64, _ time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.job.state.Done++
	s.job.state.Last = id
}

// End is for replay.Progress.
func (s steps) End() {}

// makeBackfills makes those that the term is asked for until the context ends.
func (b *board) makeBackfills(ctx context.Context) {
	s, _ := b.current()
	s.backfills.run(ctx)
}

// backfill counts what is asked for and, unless that is all, has it sent.
func (b *board) backfill(ctx context.Context, s *shown, a status.Action) (status.Done, error) {
	options := wiring.MappingOptions(b.cfg, b.log)
	options.CountShare = b.countShare
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
		if _, ofDatabase := errors.AsType[*pgconn.PgError](err); ofDatabase || ctx.Err() != nil {
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
