package dispatch

import (
	"bytes"
	"iter"
	"slices"
	"sort"
	"time"
	"unsafe"

	"github.com/hooktail/hooktail/mapping"
)

// The history's limits. A hook's last successes and last failures are kept separately, so
// that they do not displace each other. All hooks together hold at most historyBytes:
// beyond that, the hooks that hold most drop their oldest attempts.
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

// Pulse counts the attempts of the last hour by result, oldest step first. The last step
// is the present one. A death without an attempt counts as a failure.
type Pulse [PulseSteps]struct{ Delivered, Failed uint32 }

// Sums returns the totals of the hour.
func (p *Pulse) Sums() (delivered, failed uint64) {
	for _, step := range p {
		delivered += uint64(step.Delivered)
		failed += uint64(step.Failed)
	}
	return delivered, failed
}

// chronicle holds the history of each hook's deliveries: the pulse of the last hour, and
// the attempts as far as there is room. The recorder's lock guards it.
type chronicle struct {
	hooks map[int64]*track
	bytes int // size of all shelves
}

type track struct {
	pulse Pulse // by step number, modulo PulseSteps
	step  int64 // newest step in pulse
	shelves
}

type shelves struct{ successes, failures shelf }

func (s *shelves) of(e *Entry) *shelf {
	if e.Outcome == outcomeLabels[delivered] {
		return &s.successes
	}
	return &s.failures
}

func (s *shelves) all() []*made { return slices.Concat(s.successes.kept, s.failures.kept) }

// shelf holds the last attempts of a kind. When it is full, the oldest is replaced.
type shelf struct {
	kept  []*made
	next  int // index of the oldest, once it is full
	bytes int // of the attempts for which place was called
}

// made is an attempt with its answer and body.
type made struct {
	Entry
	answer []byte
	body   []byte // empty: it is not kept
}

// attemptBytes is the size of an attempt without answer and body, with its place.
const attemptBytes = int(unsafe.Sizeof(made{}) + unsafe.Sizeof(&made{}))

func (k *made) bytes() int { return cap(k.answer) + cap(k.body) }

// add keeps the attempt, and the body if it is to be whole. It returns what it keeps.
func (h *chronicle) add(e *Entry, body mapping.Body, answer []byte, whole bool) *made {
	t := h.hooks[e.Hook]
	if t == nil {
		if h.hooks == nil {
			h.hooks = make(map[int64]*track)
		}
		t = &track{}
		h.hooks[e.Hook] = t
	}
	t.turn(stepOf(e.At))
	step, shelf := &t.pulse[t.step%PulseSteps], t.of(e)
	if shelf == &t.successes {
		step.Delivered++
	} else {
		step.Failed++
	}
	before := shelf.bytes
	k := shelf.place()
	k.Entry, k.answer, k.body = *e, append(k.answer[:0], answer...), k.body[:0]
	if whole {
		k.body = body.AppendTo(k.body)
	}
	shelf.bytes += k.bytes()
	if h.bytes += shelf.bytes - before; h.bytes > historyBytes {
		h.trim(e.At)
	}
	return k
}

// place returns the place of the next attempt: a new one, or that of the oldest.
func (s *shelf) place() (k *made) {
	if len(s.kept) < historyPerHook {
		k = &made{}
		s.bytes += attemptBytes
	} else {
		k = s.kept[s.next]
		s.bytes -= k.bytes()
	}
	s.put(k)
	return k
}

// put adds the attempt, if necessary in place of the oldest.
func (s *shelf) put(k *made) {
	if len(s.kept) < historyPerHook {
		s.kept = append(s.kept, k)
	} else {
		s.kept[s.next] = k
	}
	s.next = (s.next + 1) % historyPerHook
}

// trim makes room: it drops old attempts, and the shelves that hold most only keep their
// newest, so that all together are at three quarters of the bound.
func (h *chronicle) trim(now time.Time) {
	level := sort.Search(historyBytes, func(level int) bool {
		sum := 0
		for _, t := range h.hooks {
			sum += min(t.successes.bytes, level+1) + min(t.failures.bytes, level+1)
		}
		return sum > historyBytes*3/4
	})
	h.bytes = 0
	for _, t := range h.hooks {
		for _, s := range []*shelf{&t.successes, &t.failures} {
			s.trim(level, now.Add(-historyFor))
			h.bytes += s.bytes
		}
	}
}

// trim keeps the newest attempts that fit and are not too old.
func (s *shelf) trim(most int, since time.Time) {
	if len(s.kept) == 0 || s.bytes <= most && !s.kept[s.next%len(s.kept)].At.Before(since) {
		return
	}
	were := s.newest()
	*s = shelf{}
	for k := range were {
		more := attemptBytes + k.bytes()
		if s.bytes+more > most || k.At.Before(since) {
			break
		}
		s.bytes += more
		s.kept = append(s.kept, k)
	}
	slices.Reverse(s.kept)
	s.next = len(s.kept) % historyPerHook
}

// newest yields the attempts, newest first.
func (s *shelf) newest() iter.Seq[*made] {
	kept, next, n := s.kept, s.next, len(s.kept) // as they are now
	return func(yield func(*made) bool) {
		for i := range n {
			if !yield(kept[(next-1-i+2*n)%n]) {
				return
			}
		}
	}
}

func stepOf(at time.Time) int64 { return at.UnixNano() / int64(PulseStep) }

// turn clears the steps that have begun since the newest one.
func (t *track) turn(step int64) {
	for n := max(t.step+1, step-PulseSteps+1); n <= step; n++ {
		t.pulse[n%PulseSteps] = Pulse{}[0]
	}
	t.step = max(t.step, step)
}

// all returns the attempts of all hooks, in no order.
func (h *chronicle) all() (all []*made) {
	for _, t := range h.hooks {
		all = append(all, t.all()...)
	}
	return all
}

// find returns the attempt of the hook, nil if it is not kept.
func (h *chronicle) find(hook int64, seq uint64) *made {
	if t := h.hooks[hook]; t != nil {
		for _, k := range t.all() {
			if k.Seq == seq {
				return k
			}
		}
	}
	return nil
}

func (h *chronicle) forget(hook int64) {
	if t := h.hooks[hook]; t != nil {
		h.bytes -= t.successes.bytes + t.failures.bytes
		delete(h.hooks, hook)
	}
}

// annotationOf returns the annotation in the body of a request, the first of several; 0:
// none. It only examines the beginnings of the pieces.
func annotationOf(body mapping.Body) int64 {
	const name, one, several = `"annotation`, `": {"id": `, `s": [{"id": `
	for piece := range body.Pieces() {
		head := piece[:min(len(piece), 96)]
		_, after, _ := bytes.Cut(head, []byte(name))
		rest, found := bytes.CutPrefix(after, []byte(one))
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
