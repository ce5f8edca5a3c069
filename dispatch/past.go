package dispatch

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

// Pulses returns the pulses of the hooks with attempts since the Dispatcher was created.
func (r *recorder) Pulses() map[int64]Pulse {
	now := stepOf(time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	pulses := make(map[int64]Pulse, len(r.history.hooks))
	for hook, t := range r.history.hooks {
		t.turn(now)
		var p Pulse
		for i := range p {
			p[i] = t.pulse[(t.step+1+int64(i))%PulseSteps]
		}
		pulses[hook] = p
	}
	return pulses
}

// Past selects attempts of the history. The zero value of a field matches any.
type Past struct {
	Hook         int64
	Action       mapping.Action // in the hook's spelling
	Outcome      string         // delivered, retried or dead
	Task         int64
	Annotation   int64
	Event        mapping.ID
	Since, Until time.Time // end of the attempt; Until is exclusive
	Limit        int       // only the newest; 0: all
}

func (p *Past) means(e *Entry) bool {
	return (p.Hook == 0 || e.Hook == p.Hook) && (p.Action == "" || e.Action == p.Action) && (p.Outcome == "" || e.Outcome == p.Outcome) &&
		(p.Task == 0 || e.Task == p.Task) && (p.Annotation == 0 || e.Annotation == p.Annotation) && (p.Event == mapping.ID{} || e.Event == p.Event) &&
		(p.Since.IsZero() || !e.At.Before(p.Since)) && (p.Until.IsZero() || e.At.Before(p.Until))
}

// History returns the matching attempts of the last 24 hours, as far as they are kept,
// newest first. It includes answers only if payloads may be seen.
func (r *recorder) History(p Past, payloads bool) []Recent {
	if since := time.Now().Add(-historyFor); p.Since.Before(since) {
		p.Since = since
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Recent
	for _, k := range r.history.all() {
		if p.means(&k.Entry) {
			out = append(out, k.recent(payloads))
		}
	}
	slices.SortFunc(out, func(a, b Recent) int { return cmp.Compare(b.Seq, a.Seq) })
	if p.Limit > 0 && len(out) > p.Limit {
		out = out[:p.Limit]
	}
	return out
}

// Sent returns the request of that attempt, for repetition; false if it is not kept.
func (r *recorder) Sent(hook int64, seq uint64) (m send.Message, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.history.find(hook, seq)
	if k == nil || len(k.body) == 0 {
		return send.Message{}, false
	}
	m = messageOf(k.Event, k.Committed)
	m.Attempt, m.Body, m.Action, m.Project, m.Task = k.Attempt+1, mapping.BodyOf(bytes.Clone(k.body)), k.Action, k.Project, k.Task
	return m, true
}

// forget drops the history of a deleted hook.
func (r *recorder) forget(hook int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.forget(hook)
}
