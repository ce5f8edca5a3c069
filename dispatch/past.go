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
	return (p.Action == "" || e.Action == p.Action) && (p.Outcome == "" || e.Outcome == p.Outcome) && (p.Task == 0 || e.Task == p.Task) &&
		(p.Annotation == 0 || e.Annotation == p.Annotation) && (p.Event == mapping.ID{} || e.Event == p.Event) &&
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
	for hook, t := range r.history.hooks {
		if p.Hook != 0 && p.Hook != hook {
			continue
		}
		for _, s := range []*shelf{&t.successes, &t.failures} {
			for k := range s.newest() {
				if !p.means(&k.Entry) {
					continue
				}
				out = append(out, Recent{k.Entry, shown(k.answer, payloads), k.whole, k.hook})
			}
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
	if k == nil || !k.whole {
		return send.Message{}, false
	}
	m = send.Message{
		ID: k.Event.String(), LSN: k.Event.Commit.String(), Committed: k.Committed.UTC().Format(committedLayout),
		Attempt: k.Attempt + 1, Body: mapping.BodyOf(bytes.Clone(k.body)), Action: k.Action, Project: k.Project, Task: k.Task,
	}
	if k.Event.IsRepair() {
		m.Origin = "repair"
	}
	return m, true
}

func (h *chronicle) find(hook int64, seq uint64) *made {
	t := h.hooks[hook]
	if t == nil {
		return nil
	}
	for _, s := range []*shelf{&t.successes, &t.failures} {
		for k := range s.newest() {
			if k.Seq == seq {
				return k
			}
		}
	}
	return nil
}

// body returns the body of the attempt, of any hook; nil if it is not kept.
func (h *chronicle) body(seq uint64) []byte {
	for hook := range h.hooks {
		if k := h.find(hook, seq); k != nil && k.whole {
			return bytes.Clone(k.body)
		}
	}
	return nil
}

// forget drops the history of a deleted hook.
func (r *recorder) forget(hook int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.forget(hook)
}
