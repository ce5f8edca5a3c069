package relay

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/status"
)

// Number of points in a series, and the time that each covers.
const (
	seriesEvery  = 10 * time.Second
	seriesPlaces = 360
)

// figures are the figures of one moment; nil: unknown.
type figures struct {
	lag               *float64
	retained          *int64
	delivered, failed uint64 // since the term began
}

// series is the last hour of a term. It is safe for concurrent use.
type series struct {
	mu      sync.Mutex
	noted   time.Time
	last    figures
	columns status.Series
}

// note records the figures when a point is due. The first figures are only the base of
// the counts.
func (s *series) note(now time.Time, read func() figures) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.noted) < seriesEvery {
		return
	}
	f := read()
	seconds := now.Sub(s.noted).Seconds()
	if s.noted.IsZero() {
		seconds = 0
	}
	delivered, failed := perSecond(float64(f.delivered)-float64(s.last.delivered), seconds), perSecond(float64(f.failed)-float64(s.last.failed), seconds)
	c := &s.columns
	c.Times = place(c.Times, now.Unix())
	c.Lag, c.Retained = place(c.Lag, f.lag), place(c.Retained, f.retained)
	c.Delivered, c.Failed = place(c.Delivered, &delivered), place(c.Failed, &failed)
	s.noted, s.last = now, f
}

// place appends to a column and drops its oldest point when it is full.
func place[T any](column []T, value T) []T {
	if len(column) == seriesPlaces {
		column = slices.Delete(column, 0, 1)
	}
	return append(column, value)
}

// all returns a copy of the columns.
func (s *series) all() status.Series {
	s.mu.Lock()
	defer s.mu.Unlock()
	return status.Series{
		Times: append([]int64{}, s.columns.Times...), Lag: append([]*float64{}, s.columns.Lag...), Retained: append([]*int64{}, s.columns.Retained...),
		Delivered: append([]*float64{}, s.columns.Delivered...), Failed: append([]*float64{}, s.columns.Failed...),
	}
}

// figures reads the present figures.
func (b *board) figures(s *shown) (f figures) {
	if now := b.role.now(); now.stream != nil {
		state := b.stream(now.stats(), now.beat, s)
		f.lag, f.retained = state.LagSeconds, state.Retained
	}
	for _, p := range s.dispatcher.Overview() {
		f.delivered += p.Counts.Delivered
		f.failed += p.Counts.Retried + p.Counts.Dead
	}
	return f
}

// Series implements status.Program.
func (b *board) Series(context.Context) (status.Series, error) {
	s, _ := b.current()
	if s == nil {
		return status.Series{}, status.ErrStandby
	}
	return s.series.all(), nil
}

// History implements status.Program.
func (b *board) History(_ context.Context, q status.Search, payloads bool) ([]status.Attempt, error) {
	s, _ := b.current()
	if s == nil {
		return nil, status.ErrStandby
	}
	var out []status.Attempt
	for _, e := range s.dispatcher.History(dispatch.Past{
		Hook: q.Hook, Action: q.Action, Outcome: q.Outcome, Task: q.Task, Annotation: q.Annotation, Event: q.Event, Since: q.Since, Until: q.Until, Limit: q.Limit,
	}, payloads) {
		out = append(out, attemptOf(&e, payloads))
	}
	return out, nil
}

// hourOf returns the last hour of a hook; nil if there was no attempt.
func hourOf(p *dispatch.Pulse, steps bool) *status.Hour {
	h := &status.Hour{}
	if h.Delivered, h.Failed = p.Sums(); h.Delivered+h.Failed == 0 {
		return nil
	}
	if steps {
		h.Pulse = make([]status.Pulse, len(p))
		for i, step := range p {
			h.Pulse[i] = status.Pulse{step.Delivered, step.Failed}
		}
	}
	return h
}
