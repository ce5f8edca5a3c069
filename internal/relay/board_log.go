package relay

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// past is a log that keeps delivered events.
type past struct {
	log      *natslog.Log
	payloads *state.Log
	asking   chan struct{} // allows one page at a time to read the log
}

// past returns the log of the tenure; nil: it keeps nothing.
func (t *tenure) past() *past {
	if t.cfg.Keep == 0 {
		return nil
	}
	return &past{log: t.events, payloads: t.entries, asking: make(chan struct{}, 1)}
}

// pastOf returns the log to show.
func (b *board) pastOf() (*past, error) {
	s, _ := b.current()
	switch {
	case b.cfg.Keep == 0:
		return nil, status.ErrNoPast
	case s == nil || s.past == nil:
		return nil, status.ErrStandby
	case !s.past.log.Connected():
		return nil, &status.Problem{Why: errNATSAway.Error()}
	}
	return s.past, nil
}

// Past implements status.Program.
func (b *board) Past(ctx context.Context, q status.Search) (out status.Past, err error) {
	p, err := b.pastOf()
	if err != nil {
		return out, err
	}
	select {
	case p.asking <- struct{}{}:
		defer func() { <-p.asking }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	recent, err := p.log.Recent(ctx, natslog.RecentOptions{
		Hook: q.Hook, Since: q.Since, Until: q.Until, Limit: q.Limit, Wants: func(m *natslog.Message) bool { return isMeant(m, &q) },
	})
	out.More, out.Partial = recent.More, recent.Partial
	for _, m := range recent.Messages {
		target, _ := m.TargetOf(q.Hook)
		e := m.Event
		logged := status.Logged{
			Position: m.Seq, Hook: q.Hook, Event: e.ID.String(), Action: string(target.Action), Project: e.Project, Task: e.Task, Committed: e.Committed.UTC(),
		}
		if target.Payload {
			logged.Bytes = m.Bytes
		}
		out.Events = append(out.Events, logged)
	}
	return out, err
}

// isMeant reports whether the search matches the message, which is for its hook.
func isMeant(m *natslog.Message, q *status.Search) bool {
	e := m.Event
	target, _ := m.TargetOf(q.Hook)
	return (q.Action == "" || q.Action == target.Action) && (q.Task == 0 || q.Task == e.Task) && (q.Event == (mapping.ID{}) || q.Event == e.ID) &&
		(q.Since.IsZero() || !e.Committed.Before(q.Since)) && (q.Until.IsZero() || e.Committed.Before(q.Until))
}

// request returns what the hook gets of the message at that position, as a replay sends it;
// ok is false if the log no longer has it.
func (p *past) request(ctx context.Context, of int64, position uint64) (m *natslog.Message, again send.Message, ok bool, err error) {
	if m, err = p.log.At(ctx, position); m == nil || err != nil {
		return nil, again, false, err
	}
	target, has := m.TargetOf(of)
	if !has {
		return nil, again, false, nil
	}
	if m.Stored {
		if m.Event.Payload, err = p.payloads.Payload(ctx, m.Event.ID.String()); m.Event.Payload == nil || err != nil {
			return nil, again, false, err
		}
	}
	return m, replay.Again(m, target), true, nil
}

// loggedPayload returns the body of an event of the log; nil if it is no longer kept.
func (b *board) loggedPayload(ctx context.Context, of int64, position uint64) ([]byte, error) {
	p, err := b.pastOf()
	if err != nil {
		return nil, err
	}
	_, again, ok, err := p.request(ctx, of, position)
	if !ok || err != nil {
		return nil, err
	}
	return again.Body.Bytes(), nil
}

// replayed sends the hook an event of the log again, if it still wants it.
func (b *board) replayed(ctx context.Context, s *shown, hook *hook.Hook, position uint64) (status.Done, error) {
	p, err := b.pastOf()
	if err != nil {
		return status.Done{}, err
	}
	if hook.IsRefused() {
		return status.Done{}, refusedProblem(hook)
	}
	m, again, ok, err := p.request(ctx, hook.ID, position)
	if err != nil {
		return status.Done{}, err
	}
	if !ok {
		return status.Done{}, &status.Problem{Why: "the log no longer has this event"}
	}
	m.Event.Organization = hook.Organization // which the log does not say
	if _, wants := hook.TargetOf(m.Event); !wants {
		return status.Done{}, &status.Problem{Why: fmt.Sprintf("hook %d no longer wants this event: its actions or its project have changed", hook.ID)}
	}
	e := s.sender.Exchange(ctx, hook, again)
	return exchanged(hook, &e), nil
}
