package relay

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// pastOf returns the tenure with the log to show.
func (b *board) pastOf() (*shown, error) {
	s, _ := b.current()
	switch {
	case b.cfg.Keep == 0:
		return nil, status.ErrNoPast
	case s == nil || s.past == nil:
		return nil, status.ErrStandby
	case !s.past.Connected():
		return nil, &status.Problem{Why: errNATSAway.Error()}
	}
	return s, nil
}

// Past implements status.Program.
func (b *board) Past(ctx context.Context, q status.Search) (out status.Past, err error) {
	s, err := b.pastOf()
	if err != nil {
		return out, err
	}
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	recent, err := s.past.Recent(ctx, natslog.RecentOptions{
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

// logged returns the message at that position of the log, and what the hook gets of it, as a
// replay sends it; nil if the log no longer has it.
func (b *board) logged(ctx context.Context, of int64, position uint64) (m *natslog.Message, again send.Message, err error) {
	s, err := b.pastOf()
	if err != nil {
		return nil, again, err
	}
	if m, err = s.past.At(ctx, position); m == nil || err != nil {
		return nil, again, err
	}
	target, has := m.TargetOf(of)
	if has && m.Stored {
		m.Event.Payload, err = s.entries.Payload(ctx, m.Event.ID.String())
		has = m.Event.Payload != nil
	}
	if !has || err != nil {
		return nil, again, err
	}
	return m, replay.Again(m, target), nil
}

// replayed returns the request of an event of the log, if the hook still wants it.
func (b *board) replayed(ctx context.Context, hook *hook.Hook, position uint64) (again send.Message, err error) {
	m, again, err := b.logged(ctx, hook.ID, position)
	if err != nil {
		return again, err
	}
	if m == nil {
		return again, &status.Problem{Why: "the log no longer has this event"}
	}
	m.Event.Organization = hook.Organization // which the log does not say
	if _, wants := hook.TargetOf(m.Event); !wants {
		return again, &status.Problem{Why: fmt.Sprintf("hook %d no longer wants this event: its actions or its project have changed", hook.ID)}
	}
	return again, nil
}
