package dispatch

import (
	"bytes"
	"time"
	"unsafe"

	"github.com/hooktail/hooktail/mapping"
)

// The history's bounds. A hook keeps its last successes and its last failures apart,
// since the one would otherwise drive the other out. All hooks together hold no more
// than historyBytes: beyond that those that hold most let their oldest go.
const (
	historyPerHook = 100 // successes, and as many failures
	historyBytes   = 2 << 20
	historyFor     = 24 * time.Hour
)

// A Pulse is an hour of a hook in steps.
const (
	PulseSteps = 30
	PulseStep  = 2 * time.Minute
)

// Pulse is the attempts of the last hour by how they ended, the oldest step first. The
// last step is the present one. A death without an attempt counts as a failure.
type Pulse [PulseSteps]struct{ Delivered, Failed uint32 }

// Sums is what the hour adds up to.
func (p *Pulse) Sums() (delivered, failed uint64) {
	for _, step := range p {
		delivered += uint64(step.Delivered)
		failed += uint64(step.Failed)
	}
	return delivered, failed
}

// chronicle is what became of each hook's deliveries: the pulse of the last hour, and the
// attempts themselves as far as there is room. The recorder's lock guards it.
type chronicle struct {
	hooks map[int64]*track
	bytes int // of all shelves
}

// track is the history of one hook.
type track struct {
	pulse Pulse // by number of the step, modulo PulseSteps
	step  int64 // the newest that is in pulse

	successes, failures shelf
}

// shelf is the last attempts of a kind. What it holds is overwritten once it is full.
type shelf struct {
	kept  []made
	next  int // place of the oldest, once it is full
	bytes int
}

// made is an attempt with what belongs to it.
type made struct {
	Entry
	answer []byte
	body   []byte
	whole  bool // the body is kept
}

// attemptBytes is the size of an attempt's place, without answer and body.
const attemptBytes = int(unsafe.Sizeof(made{}))

func (k *made) bytes() int { return cap(k.answer) + cap(k.body) }

// add keeps the attempt; answer and body are nil where they are not to be kept.
func (h *chronicle) add(e *Entry, answer, body []byte, whole bool) {
	t := h.hooks[e.Hook]
	if t == nil {
		if h.hooks == nil {
			h.hooks = make(map[int64]*track)
		}
		t = &track{}
		h.hooks[e.Hook] = t
	}
	t.turn(stepOf(e.At))
	step, shelf := &t.pulse[t.step%PulseSteps], &t.failures
	if e.Outcome == outcomeLabels[delivered] {
		step.Delivered++
		shelf = &t.successes
	} else {
		step.Failed++
	}
	h.bytes += shelf.add(e, answer, body, whole)
	if h.bytes > historyBytes {
		h.trim(e.At)
	}
}

// add returns by how much the shelf has grown.
func (s *shelf) add(e *Entry, answer, body []byte, whole bool) int {
	before := s.bytes
	if len(s.kept) < historyPerHook {
		places := cap(s.kept)
		s.kept = append(s.kept, made{})
		s.bytes += (cap(s.kept) - places) * attemptBytes
		s.next = len(s.kept) - 1
	} else {
		s.bytes -= s.kept[s.next].bytes()
	}
	k := &s.kept[s.next]
	k.Entry, k.whole = *e, whole
	k.answer, k.body = append(k.answer[:0], answer...), append(k.body[:0], body...)
	s.bytes += k.bytes()
	s.next = (s.next + 1) % historyPerHook
	return s.bytes - before
}

// trim makes room: what is too old goes, and the shelves that hold most keep their newest
// alone, so that all of them are at three quarters of the bound.
func (h *chronicle) trim(now time.Time) {
	low, high := 0, historyBytes
	for range 16 {
		level, sum := (low+high)/2, 0
		for _, t := range h.hooks {
			sum += min(t.successes.bytes, level) + min(t.failures.bytes, level)
		}
		if sum > historyBytes*3/4 {
			high = level
		} else {
			low = level
		}
	}
	h.bytes = 0
	for _, t := range h.hooks {
		for _, s := range []*shelf{&t.successes, &t.failures} {
			s.trim(low, now.Add(-historyFor))
			h.bytes += s.bytes
		}
	}
}

// trim keeps the newest that fit and are not too old.
func (s *shelf) trim(most int, since time.Time) {
	if s.bytes <= most && (len(s.kept) == 0 || !s.oldest().At.Before(since)) {
		return
	}
	n, bytes := 0, 0
	for k := range s.newest() {
		more := attemptBytes + k.bytes()
		if bytes+more > most || k.At.Before(since) {
			break
		}
		bytes += more
		n++
	}
	newest, place := make([]made, n), n
	for k := range s.newest() {
		if place == 0 {
			break
		}
		place--
		newest[place] = *k
	}
	s.kept, s.bytes = newest, bytes
	s.next = n % historyPerHook
}

// oldest is the first that there is.
func (s *shelf) oldest() *made { return &s.kept[s.next%len(s.kept)] }

// newest yields the attempts, the newest first.
func (s *shelf) newest() func(yield func(*made) bool) {
	return func(yield func(*made) bool) {
		n := len(s.kept)
		for i := range n {
			if !yield(&s.kept[(s.next-1-i+2*n)%n]) {
				return
			}
		}
	}
}

func stepOf(at time.Time) int64 { return at.UnixNano() / int64(PulseStep) }

// turn clears the steps that have begun since the newest.
func (t *track) turn(step int64) {
	for n := max(t.step+1, step-PulseSteps+1); n <= step; n++ {
		t.pulse[n%PulseSteps] = Pulse{}[0]
	}
	t.step = max(t.step, step)
}

// forget lets go of what a hook has.
func (h *chronicle) forget(hook int64) {
	if t := h.hooks[hook]; t != nil {
		h.bytes -= t.successes.bytes + t.failures.bytes
		delete(h.hooks, hook)
	}
}

// annotationOf is the annotation that the body of a request speaks of, of several the
// first; 0: it speaks of none. It looks at how the pieces begin alone.
func annotationOf(body mapping.Body) int64 {
	const name, one, several = `"annotation`, `": {"id": `, `s": [{"id": `
	for piece := range body.Pieces() {
		head := piece[:min(len(piece), 96)]
		at := bytes.Index(head, []byte(name))
		if at < 0 {
			continue
		}
		rest, found := bytes.CutPrefix(head[at+len(name):], []byte(one))
		if !found {
			rest, found = bytes.CutPrefix(rest, []byte(several))
		}
		if !found {
			continue
		}
		var id int64
		for _, digit := range rest {
			if digit < '0' || digit > '9' {
				return id
			}
			id = id*10 + int64(digit-'0')
		}
	}
	return 0
}
