package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
)

// questions are what the path of an event waits for: the database, and room in the
// lanes. They outlive the terms of leadership. They are safe for concurrent use.
type questions struct {
	log     *slog.Logger
	ends    func(error) bool // whether an error of the database is not to be waited out
	trouble logging.Repeat   // with the database

	mu   sync.Mutex
	open map[string]*question // what has no answer yet, by its name; guarded by mu
}

// question is one that has no answer yet.
type question struct {
	since time.Time
	err   error // of the last attempt; nil: the first one is not over
}

func newQuestions(log *slog.Logger, ends func(error) bool) *questions {
	return &questions{log: log, ends: ends, open: map[string]*question{}}
}

// attemptPatience is how long the first attempt may take: as long as the stream waits
// for a server that is silent. A connection that is half open would keep it for ever;
// the next attempt is made on another one.
const attemptPatience = 30 * time.Second

// persist repeats what needs the database until it succeeds: an event waits for a
// database that restarts, a table that a migration has locked, and a column that it
// has renamed for a moment. It gives up when the context ends, and at errors that
// waiting does not mend.
func (q *questions) persist(ctx context.Context, what string, f func(context.Context) error) error {
	defer q.ask(what)()
	err := retry.Policy{
		First: 100 * time.Millisecond, Longest: 5 * time.Second, Patience: attemptPatience,
		Again: func(err error) bool { return !q.ends(err) },
		Failed: func(ctx context.Context, err error, next time.Duration) {
			q.failed(what, err)
			q.trouble.Failed(ctx, q.log, slog.LevelError, "the database did not answer; trying again",
				slog.String("to", what), slog.Any("error", err), slog.Duration("next", next))
		},
	}.Do(ctx, f)
	if err == nil {
		q.trouble.Worked(ctx, q.log, "the database answers again")
	}
	return err
}

// ask notes that an answer is waited for, until the function that it returns is
// called.
func (q *questions) ask(what string) (answered func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked := &question{since: time.Now()}
	q.open[what] = asked
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.open[what] == asked {
			delete(q.open, what)
		}
	}
}

func (q *questions) failed(what string, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if asked := q.open[what]; asked != nil {
		asked.err = err
	}
}

// overdue says what has had no answer for longer than limit, nil if nothing: then events
// are due and none gets through. Of several it is the oldest.
func (q *questions) overdue(limit time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var oldest *question
	var name string
	for what, asked := range q.open {
		if oldest == nil || asked.since.Before(oldest.since) {
			oldest, name = asked, what
		}
	}
	if oldest == nil {
		return nil
	}
	age := time.Since(oldest.since)
	if age <= limit {
		return nil
	}
	late := fmt.Errorf("no event has got through for %s: hooktail waits to %s", age.Round(time.Second), name)
	if oldest.err != nil {
		late = fmt.Errorf("%w: %w", late, oldest.err)
	}
	return late
}
