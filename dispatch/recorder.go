package dispatch

import (
	"bytes"
	"cmp"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// Limits of the recorder. It keeps successes and failures separately, so that they do not
// displace each other; it keeps bodies only if configured.
const (
	keptEntries = historyPerHook // at most: the rings hold attempts of the shelves
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

	Redirect string // target of a redirect, without secrets; "": none
	Bytes    int    // size of the request's body

	hook *hook.Hook
}

// recorder keeps the last entries of all lanes, for the Dispatcher's callers to see. It is
// safe for concurrent use.
type recorder struct {
	bodies bool // keep bodies, and beginnings of answers

	mu        sync.Mutex
	seq       uint64
	successes ring
	failures  ring
	history   chronicle
}

// ring holds the last attempts of all hooks. A shelf does not overwrite them while they are
// here: by then it has had as many newer ones.
type ring struct {
	kept [keptEntries]*made // nil: none yet
	next int
}

func (r *ring) add(k *made) {
	r.kept[r.next] = k
	r.next = (r.next + 1) % keptEntries
}

// all yields the attempts, in no order.
func (r *recorder) all() iter.Seq[*made] {
	return func(yield func(*made) bool) {
		for _, ring := range []*ring{&r.successes, &r.failures} {
			for _, k := range ring.kept {
				if k != nil && !yield(k) {
					return
				}
			}
		}
	}
}

// add numbers the entry and records it, with answer and body if an attempt was made. It
// copies its arguments.
func (r *recorder) add(e *Entry, body mapping.Body, answer []byte, made bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := &r.failures
	if e.Outcome == outcomeLabels[delivered] {
		ring = &r.successes
	}
	if !r.bodies {
		answer = nil
	}
	r.seq++
	e.Seq = r.seq
	ring.add(r.history.add(e, body, answer, r.bodies && made && e.Bytes <= keptBody))
}

// shown returns the text of an answer for people who may see payloads, "" for others.
func shown(answer []byte, payloads bool) string {
	if !payloads {
		return ""
	}
	return strings.ToValidUTF8(string(answer), "\uFFFD")
}

// Recent is an Entry with its answer and hook.
type Recent struct {
	Entry
	Answer  string     // beginning of the answer's body; "": not kept, or not to be shown
	HasBody bool       // see Body
	Of      *hook.Hook // the hook at that time
}

// Recent returns the entries after the given one (0: all that are kept), in order. It
// includes answers, which may repeat the request, only if payloads may be seen.
func (r *recorder) Recent(after uint64, payloads bool) []Recent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Recent
	for k := range r.all() {
		if k.Seq > after {
			out = append(out, Recent{k.Entry, shown(k.answer, payloads), k.whole, k.hook})
		}
	}
	slices.SortFunc(out, func(a, b Recent) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// Body returns the request body of the entry; nil if it is not kept.
func (r *recorder) Body(seq uint64) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.all() {
		if k.Seq == seq && k.whole {
			return bytes.Clone(k.body)
		}
	}
	return r.history.body(seq)
}
