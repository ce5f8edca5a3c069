package dispatch

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// The recorder's bounds: so many successes and as many failures, since the one
// would otherwise drive the other out; bodies are kept only where that is asked for.
const (
	keptEntries = 100
	keptBody    = 16 << 10
)

// Entry is an attempt at a delivery, or the death of one without an attempt.
type Entry struct {
	Seq        uint64    // in the order in which they ended, from 1
	At         time.Time // when it ended
	Hook       int64
	Action     mapping.Action // as the hook spells it
	Committed  time.Time
	Event      mapping.ID
	Project    int64
	Task       int64         // 0: the whole project's
	Annotation int64         // 0: it speaks of none; of several the first
	Attempt    int           // from 1; 0: none was made
	Outcome    string        // delivered, retried or dead
	Result     string        // of the attempt, as a metric label; "": none was made
	Status     int           // 0: there was no answer
	Took       time.Duration // of the attempt
	Latency    time.Duration // from commit to delivery; 0 unless it is delivered
	Next       time.Time     // of the attempt that follows; zero: none does
	Reason     Reason        // of death
	Err        error         // if there was no answer; free of secrets

	Redirect string // where the answer would lead, without what may be secret; "": nowhere
	Bytes    int    // of the request's body

	hook *hook.Hook
}

// slot is an entry's place in a ring. What it holds is overwritten, not allocated.
type slot struct {
	Entry
	answer  []byte
	body    []byte
	hasBody bool
}

// recorder keeps the last entries of all lanes. It is safe for concurrent use.
type recorder struct {
	bodies bool // whether bodies are kept, and how answers begin

	mu        sync.Mutex
	seq       uint64
	successes ring
	failures  ring
	history   chronicle
}

type ring struct {
	slots [keptEntries]slot
	next  int
}

// add keeps the entry, with what belongs to the attempt if one was made. What it is given
// is copied.
func (r *recorder) add(e *Entry, body mapping.Body, answer []byte, made bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := &r.failures
	if e.Outcome == outcomeLabels[delivered] {
		ring = &r.successes
	}
	s := &ring.slots[ring.next]
	ring.next = (ring.next + 1) % keptEntries
	r.seq++
	s.Entry, s.answer, s.body = *e, s.answer[:0], s.body[:0]
	s.Seq = r.seq
	if r.bodies {
		s.answer = append(s.answer, answer...)
	}
	if s.hasBody = r.bodies && made && e.Bytes <= keptBody; s.hasBody {
		s.body = body.AppendTo(s.body)
	}
	r.history.add(&s.Entry, s.answer, s.body, s.hasBody)
}

// shown is the text of an answer for people who may see payloads, "" for others.
func shown(answer []byte, payloads bool) string {
	if !payloads {
		return ""
	}
	return strings.ToValidUTF8(string(answer), "\uFFFD")
}

// Recent is an Entry with what belongs to it.
type Recent struct {
	Entry
	Answer  string     // how the answer's body begins; "": it is not kept, or not to be seen
	HasBody bool       // see Body
	Of      *hook.Hook // the hook as it was
}

// Recent is the entries after that one (0: all that are kept), in order. Answers, which may
// repeat the request, are in them only if payloads may be seen.
func (d *Dispatcher) Recent(after uint64, payloads bool) []Recent {
	r := &d.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Recent
	for _, ring := range []*ring{&r.successes, &r.failures} {
		for i := range ring.slots {
			s := &ring.slots[i]
			if s.Seq <= after {
				continue
			}
			out = append(out, Recent{s.Entry, shown(s.answer, payloads), s.hasBody, s.hook})
		}
	}
	slices.SortFunc(out, func(a, b Recent) int { return cmp.Compare(a.Seq, b.Seq) })
	return out
}

// Body is the body of the request of that entry; nil if it is not kept.
func (d *Dispatcher) Body(seq uint64) []byte {
	r := &d.recorder
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ring := range []*ring{&r.successes, &r.failures} {
		for i := range ring.slots {
			if s := &ring.slots[i]; s.Seq == seq && s.hasBody {
				return slices.Clone(s.body)
			}
		}
	}
	return r.history.body(seq)
}
