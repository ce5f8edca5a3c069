package relay

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

const (
	surveyEvery = 10 * time.Second // pause between two surveys of the log
	surveyLimit = time.Minute      // age up to which one is shown in metrics
)

// logWatch surveys the log and its members, and has what this instance does with them. Pages
// and scrapes get the last survey and never wait. It is safe for concurrent use.
type logWatch struct {
	cfg     config.Config
	log     *slog.Logger
	changed chan struct{} // has a token when this instance begins to read or to send
	deletes logging.Repeat

	mu sync.Mutex
	watched
}

// watched is what a logWatch has at one time; of a logWatch, guarded by mu.
type watched struct {
	events *natslog.Log
	term   *term   // nil: this instance does not read
	tenure *tenure // nil: this instance does not send
	last   survey
	fault  error // why the last survey failed; nil: it did not
}

func (w *watched) connected() bool { return w.events != nil && w.events.Connected() }

// survey is the log and its members at one time.
type survey struct {
	natslog.Survey
	at     time.Time // zero: there was none
	seats  []seat
	epochs map[int]int64 // of the partitions
}

// takeSurvey asks NATS and the database.
func takeSurvey(ctx context.Context, events *natslog.Log, db *pgxpool.Pool, cfg config.Config) (s survey, err error) {
	s.at = time.Now()
	if s.Survey, err = events.Survey(ctx); err != nil {
		return survey{}, err
	}
	if s.seats, err = readSeats(ctx, db, cfg.Slot); err != nil {
		return survey{}, err
	}
	s.epochs, err = state.NewLog(db, cfg.StateSchema, cfg.Slot).Epochs(ctx)
	return s, err
}

// run surveys the log until ctx ends.
func (w *logWatch) run(ctx context.Context, events *natslog.Log, pool *pgxpool.Pool, every time.Duration) {
	w.set(func() { w.events = events })
	tick := time.Tick(every)
	for {
		w.look(ctx, events, pool)
		select {
		case <-tick:
		case <-w.changed:
		case <-ctx.Done():
			return
		}
	}
}

func (w *logWatch) look(ctx context.Context, events *natslog.Log, pool *pgxpool.Pool) {
	within, cancel := context.WithTimeout(ctx, surveyEvery)
	defer cancel()
	s, err := takeSurvey(within, events, pool, w.cfg)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil:
		w.log.Debug("cannot survey the log", "error", err)
	case s.Deletes != "":
		w.deletes.Failed(ctx, w.log, slog.LevelError, "The stream of the log deletes events that are not delivered", slog.String("settings", s.Deletes), slog.String("remedy", "hooktail doctor"))
	default:
		w.deletes.Worked(ctx, w.log, "The stream of the log keeps all events again")
	}
	w.set(func() {
		if w.fault = err; err == nil {
			w.last = s
		}
	})
}

func (w *logWatch) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// reads records the term of the reader; nil: it is over.
func (w *logWatch) reads(t *term) { w.has(t != nil, func() { w.term = t }) }

// sends records the tenure of the sender; nil: it is over.
func (w *logWatch) sends(t *tenure) { w.has(t != nil, func() { w.tenure = t }) }

// has makes the next survey due, if this instance has begun something.
func (w *logWatch) has(begun bool, set func()) {
	w.set(set)
	if !begun {
		return
	}
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *logWatch) now() watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.watched
}

// report describes the log; nil if there is none.
func (w *logWatch) report(q status.Query) *status.Log {
	if w == nil {
		return nil
	}
	now := w.now()
	r := describeLog(w.cfg, &now.last, q.Partitions)
	r.Connected = now.connected()
	switch {
	case !r.Connected:
		r.Reason = "not connected to NATS"
	case now.fault != nil:
		r.Reason = now.fault.Error()
	}
	if now.term != nil {
		now.term.describe(r)
	}
	if now.tenure != nil {
		now.tenure.describe(r)
	}
	return r
}

// describe adds what only the reader knows.
func (t *term) describe(r *status.Log) {
	if r.Reader == nil || r.Reader.Session != t.lock.pid {
		return // the survey is older than the term
	}
	stats := t.stream.Stats()
	r.Reader.Here, r.Reader.Position, r.Reader.Confirmed = true, stats.Confirmed.String(), stats.Recorded.String()
	if age, holds := t.holdback.Age(); holds {
		r.Reader.HeldBack = new(age.Seconds())
	}
}

// describe adds what only the sender knows: holes that are ahead of its bookmarks.
func (t *tenure) describe(r *status.Log) {
	for i := range r.Senders {
		r.Senders[i].Here = r.Senders[i].Session == t.lease.pid
	}
	for _, hole := range t.stopped() {
		known := func(g status.LogGap) bool { return g.Partition == hole.Partition }
		if !slices.ContainsFunc(r.Stopped, known) {
			r.Stopped = append(r.Stopped, status.LogGap{Partition: hole.Partition, Missing: hole.Missing})
		}
	}
}

// ReadLog describes the log for a program that is not running; nil if there is none.
func ReadLog(ctx context.Context, cfg config.Config, db *pgxpool.Pool) *status.Log {
	if cfg.NATSURL.Reveal() == "" {
		return nil
	}
	quiet := slog.New(slog.DiscardHandler)
	events, err := wiring.OpenLog(cfg, quiet)
	var s survey
	if err == nil {
		defer events.Close()
		ctx, cancel := context.WithTimeout(ctx, surveyEvery)
		defer cancel()
		s, err = takeSurvey(ctx, events, db, cfg)
	}
	r := describeLog(cfg, &s, true)
	r.Roles = []string{} // it is not running
	if r.Connected = events != nil; err != nil {
		r.Reason = err.Error()
	}
	return r
}

// describeLog describes the survey.
func describeLog(cfg config.Config, s *survey, partitions bool) *status.Log {
	r := &status.Log{
		Stream: natslog.NamesOf(cfg.Slot).Stream, Roles: []string{}, Time: s.at.UTC(),
		Messages: s.Messages, Bytes: s.Bytes, Senders: []status.LogSender{}, Unserved: []int{}, Stopped: []status.LogGap{},
	}
	if cfg.Keep > 0 {
		r.Keep = new(cfg.Keep.Seconds())
	}
	if cfg.Role.Reads() {
		r.Roles = append(r.Roles, "reader")
	}
	if cfg.Role.Sends() {
		r.Roles = append(r.Roles, "sender")
	}
	if s.at.IsZero() {
		return r
	}
	r.Unserved = free(s.seats)
	if s.Limit > 0 {
		r.Limit = &s.Limit
	}
	sessions := make(map[int]uint32)
	for _, seat := range s.seats {
		is := status.Member{Address: seat.Address, Session: seat.PID, Since: seat.Since}
		if seat.Leads {
			r.Reader = &status.Reader{Member: is, Position: s.Prefix.LSN.String()}
			continue
		}
		sender := status.LogSender{Member: is, Partitions: len(seat.Partitions)}
		for _, p := range seat.Partitions {
			sender.Epoch = max(sender.Epoch, s.epochs[p])
			sessions[p] = seat.PID
		}
		r.Senders = append(r.Senders, sender)
	}
	for _, p := range slices.Sorted(maps.Keys(s.Partitions)) {
		is := s.Partitions[p]
		if is.Hole != nil {
			r.Stopped = append(r.Stopped, status.LogGap{Partition: p, Missing: is.Hole.Missing})
		}
		if partitions {
			r.Partitions = append(r.Partitions, status.LogPartition{Number: p, Session: sessions[p], Epoch: s.epochs[p], Undelivered: is.Behind, Oldest: age(is.Oldest)})
		}
	}
	behind, oldest := s.lag()
	r.Undelivered, r.Oldest = behind, age(oldest)
	return r
}

// lag is the number of undelivered messages, and when the oldest of them was written.
func (s *survey) lag() (messages uint64, oldest time.Time) {
	for _, p := range s.Partitions {
		messages += p.Behind
		if !p.Oldest.IsZero() && (oldest.IsZero() || p.Oldest.Before(oldest)) {
			oldest = p.Oldest
		}
	}
	return messages, oldest
}

// age is the time since then, by this machine's clock; nil: never.
func age(since time.Time) *float64 {
	if since.IsZero() {
		return nil
	}
	return new(max(0, time.Since(since)).Seconds())
}
