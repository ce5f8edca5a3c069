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

// questions tracks what the path of an event waits for: answers from the database, and
// room in the lanes. It outlives the terms of leadership. It is safe for concurrent use.
type questions struct {
	log     *slog.Logger
	ends    func(error) bool // whether waiting does not help after an error of the database
	trouble logging.Repeat   // with the database

	mu   sync.Mutex
	open map[*question]struct{} // unanswered questions; guarded by mu
}

// question is an unanswered question. Several may have the same text at the same time: the
// reader's and the sender's of one process.
type question struct {
	what  string // hooktail is waiting to do it
	since time.Time
	err   error // error of the last attempt; nil: the first one is in progress
}

func newQuestions(log *slog.Logger, ends func(error) bool) *questions {
	return &questions{log: log, ends: ends, open: map[*question]struct{}{}}
}

// attemptPatience bounds the first attempt. It equals the time that the stream waits for
// a silent server. A half-open connection would block the attempt forever; the next
// attempt uses another connection.
const attemptPatience = 30 * time.Second

// persist repeats f until it succeeds: an event waits for a database that restarts, for
// a table that a migration has locked, and for a column that it has renamed for a
// moment. It gives up when ctx ends, and at errors that waiting does not cure.
func (q *questions) persist(ctx context.Context, what string, f func(context.Context) error) error {
	asked, answered := q.begin(what)
	defer answered()
	err := retry.Policy{
		First: 100 * time.Millisecond, Longest: 5 * time.Second, Patience: attemptPatience,
		Again: func(err error) bool { return !q.ends(err) },
		Failed: func(ctx context.Context, err error, next time.Duration) {
			q.mu.Lock()
			asked.err = err
			q.mu.Unlock()
			q.trouble.Failed(ctx, q.log, slog.LevelError, "the database did not answer; trying again",
				slog.String("to", what), slog.Any("error", err), slog.Duration("next", next))
		},
	}.Do(ctx, f)
	if err == nil {
		q.trouble.Worked(ctx, q.log, "the database answers again")
	}
	return err
}

// ask records a question as open until the returned function is called.
func (q *questions) ask(what string) (answered func()) {
	_, answered = q.begin(what)
	return answered
}

func (q *questions) begin(what string) (asked *question, answered func()) {
	asked = &question{what: what, since: time.Now()}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open[asked] = struct{}{}
	return asked, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.open, asked)
	}
}

// overdue describes the oldest question that has been open for longer than limit; nil if
// there is none. While one is overdue, events are due and none is delivered.
func (q *questions) overdue(limit time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var oldest *question
	for asked := range q.open {
		if oldest == nil || asked.since.Before(oldest.since) {
			oldest = asked
		}
	}
	if oldest == nil || time.Since(oldest.since) <= limit {
		return nil
	}
	late := fmt.Errorf("no event was delivered for %s: hooktail is waiting to %s", time.Since(oldest.since).Round(time.Second), oldest.what)
	if oldest.err != nil {
		late = fmt.Errorf("%w: %w", late, oldest.err)
	}
	return late
}
