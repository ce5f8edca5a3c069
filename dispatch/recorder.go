package dispatch

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// Limits of the recorder, which keeps bodies only if configured.
const (
	keptEntries = historyPerHook // of all hooks: successes, and as many failures
	keptBody    = 16 << 10
)

// Entry is an attempt at a delivery, or the death of a delivery without one.
type Entry struct {
	Seq        uint64    // in the order of their ends, from 1
	At         time.Time // end of the attempt
	Hook       int64
	Action     mapping.Action // in the hook's spelling
	Committed  time.Time
	Event      mapping.ID
	Project    int64
	Task       int64         // 0: the whole project
	Annotation int64         // 0: none; the first of several
	Attempt    int           // from 1; 0: there was no attempt
	Outcome    string        // delivered, retried or dead
	Result     string        // result of the attempt, as a metric label; "": there was none
	Status     int           // 0: no answer
	Took       time.Duration // duration of the attempt
	Latency    time.Duration // from commit to delivery; 0 unless delivered
	Next       time.Time     // time of the next attempt; zero: none
	Reason     Reason        // reason of death
	Err        error         // set if there was no answer; without secrets

	Redirect string     // target of a redirect, without secrets; "": none
	Bytes    int        // size of the request's body
	Of       *hook.Hook // the hook at that time; nil: there was no attempt
}

// recorder keeps the last entries of all lanes, for the Dispatcher's callers to see. It is
// safe for concurrent use.
type recorder struct {
	bodies bool // keep bodies, and beginnings of answers

	mu      sync.Mutex
	seq     uint64
	last    shelves // of all hooks; those of history do not reuse their places while they are here
	history chronicle
}

// add numbers the entry and records it, with answer and body if an attempt was made. It
// copies its arguments.
func (r *recorder) add(e *Entry, body mapping.Body, answer []byte, made bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.bodies {
		answer = nil
	}
	r.seq++
	e.Seq = r.seq
	r.last.of(e).put(r.history.add(e, body, answer, r.bodies && made && e.Bytes <= keptBody))
}

// Recent is an Entry with its answer.
type Recent struct {
	Entry
	Answer  string // beginning of the answer's body; "": not kept, or not to be shown
	HasBody bool   // see Body
}

func (k *made) recent(payloads bool) Recent {
	recent := Recent{Entry: k.Entry, HasBody: len(k.body) > 0}
	if payloads {
		recent.Answer = strings.ToValidUTF8(string(k.answer), "\uFFFD")
	}
	return recent
}

// Recent returns the entries after the given one (0: all that are kept), in order. It
// includes answers, which may repeat the request, only if payloads may be seen.
func (r *recorder) Recent(after uint64, payloads bool) []Recent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Recent
	for _, k := range r.last.all() {
		if k.Seq > after {
			out = append(out, k.recent(payloads))
		}
	}
	slices.SortFunc(out, func(a, b Recent) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// Body returns the request body of the entry; nil if it is not kept.
func (r *recorder) Body(seq uint64) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range slices.Concat(r.last.all(), r.history.all()) {
		if k.Seq == seq && len(k.body) > 0 {
			return bytes.Clone(k.body)
		}
	}
	return nil
}
