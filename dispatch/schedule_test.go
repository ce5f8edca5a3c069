package dispatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// model is the schedule as it is meant: a list, looked through each time.
type model []*modelItem

type modelItem struct {
	it    *item
	state stage // behind stands for "has not been handed out"
}

// concerns reports whether one of the two has to wait for the other.
func concerns(a, b *item) bool {
	return a.project == b.project && (a.task == b.task || a.task == 0 || b.task == 0)
}

// isPassed reports whether the item or one of its task that stands before it is held.
func (m model) isPassed(it *item) bool {
	for _, mi := range m {
		if mi.it.held && mi.it.project == it.project && mi.it.task == it.task {
			return true
		}
	}
	return false
}

// mayGo reports whether nothing that is not done stands before the i-th but what is
// held of other tasks.
func (m model) mayGo(i int) bool {
	it := m[i].it
	for _, earlier := range m[:i] {
		if b := earlier.it; concerns(b, it) && (b.task == it.task || !m.isPassed(b)) {
			return false
		}
	}
	return true
}

// isFree reports whether the i-th is not kept either by what is running since something
// else was held.
func (m model) isFree(i int) bool {
	for _, mi := range m {
		if b := mi.it; b != m[i].it && mi.state == running && concerns(b, m[i].it) && (b.task == m[i].it.task || !m.isPassed(b)) {
			return false
		}
	}
	return true
}

func (m model) index(it *item) int {
	for i := range m {
		if m[i].it == it {
			return i
		}
	}
	return -1
}

// pick draws one of the items in that state, nil if there is none.
func (m model) pick(t *rapid.T, s stage) *modelItem {
	var some []*modelItem
	for _, mi := range m {
		if mi.state == s {
			some = append(some, mi)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return rapid.SampledFrom(some).Draw(t, "item")
}

// sift takes notice of what waited and is behind something else now, which must not be
// without a reason.
func (m model) sift() {
	for _, mi := range m {
		if mi.state == waiting && mi.it.state == behind {
			mi.state = behind
		}
	}
}

// stuck is the first item that could go but was not handed out.
func (m model) stuck() *item {
	for i, mi := range m {
		if mi.state == behind && m.mayGo(i) && m.isFree(i) {
			return mi.it
		}
	}
	return nil
}

func TestScheduleAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s schedule
		var m model
		added, finished := 0, 0
		handedOut := func(it *item, who string) {
			i := m.index(it)
			if i < 0 || m[i].state != behind {
				t.Fatalf("%s handed out event %d, which is not waiting for it", who, it.event.Ordinal)
			}
			if !m.mayGo(i) {
				t.Fatalf("%s handed out event %d before its turn\n%s", who, it.event.Ordinal, m)
			}
			m[i].state = running
		}
		finish := func(mi *modelItem) {
			s.done(mi.it)
			i := m.index(mi.it)
			m = append(m[:i:i], m[i+1:]...)
			m.sift()
			finished++
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				e := &mapping.Event{
					ID:      mapping.ID{Ordinal: added},
					Project: rapid.Int64Range(1, 3).Draw(t, "project"),
					Task:    rapid.Int64Range(0, 4).Draw(t, "task"),
				}
				it := newItem(Delivery{Event: e}, nil, time.Time{})
				added++
				s.add(it)
				m = append(m, &modelItem{it: it})
			},
			"next": func(*rapid.T) {
				it := s.next()
				if it == nil {
					if stuck := m.stuck(); stuck != nil {
						t.Fatalf("event %d is stuck", stuck.event.Ordinal)
					}
					return
				}
				handedOut(it, "next")
			},
			"take": func(t *rapid.T) {
				var some []*item
				for _, mi := range m {
					if mi.it.state == ready {
						some = append(some, mi.it)
					}
				}
				if len(some) > 0 {
					it := rapid.SampledFrom(some).Draw(t, "item")
					s.take(it)
					handedOut(it, "take")
				}
			},
			"pass": func(t *rapid.T) {
				if mi := m.pick(t, waiting); mi != nil && !mi.it.held {
					s.pass(mi.it)
					m.sift()
				}
			},
			"done": func(t *rapid.T) {
				if mi := m.pick(t, running); mi != nil {
					finish(mi)
				}
			},
			"hold": func(t *rapid.T) {
				if mi := m.pick(t, running); mi != nil {
					s.hold(mi.it)
					mi.state = waiting
					m.sift()
				}
			},
			"release": func(t *rapid.T) {
				if mi := m.pick(t, waiting); mi != nil {
					s.release(mi.it)
					mi.state = behind
				}
			},
		})
		for _, mi := range m { // nothing is lost: all of it can be finished
			if mi.state == waiting {
				s.release(mi.it)
				mi.state = behind
			}
		}
		for len(m) > 0 {
			if it := s.next(); it != nil {
				handedOut(it, "next")
			} else if mi := firstRunning(m); mi != nil {
				finish(mi)
			} else {
				t.Fatalf("%d are stuck", len(m))
			}
		}
		if finished != added || s.oldest != nil || len(s.projects) != 0 {
			t.Fatalf("finished %d of %d, %d projects left", finished, added, len(s.projects))
		}
	})
}

func firstRunning(m model) *modelItem {
	for _, mi := range m {
		if mi.state == running {
			return mi
		}
	}
	return nil
}

// The queue lets go of what was handed out as the oldest.
func TestScheduleDoesNotKeepWhatIsDone(t *testing.T) {
	var s schedule
	for n := range 100 {
		s.add(newItem(Delivery{Event: dispatchtest.Event(n, int64(n+1))}, nil, time.Time{}))
	}
	for range 99 {
		s.take(s.oldest)
		s.done(s.oldest)
	}
	if n := len(s.queue.items) - s.queue.from; n > 2 {
		t.Errorf("the queue keeps %d items", n)
	}
}

// String is the model for people.
func (m model) String() string {
	var b strings.Builder
	for _, mi := range m {
		fmt.Fprintf(&b, "event %d of project %d, task %d: state %d, early %t, held %t\n", mi.it.event.Ordinal, mi.it.project, mi.it.task, mi.it.state, mi.it.early, mi.it.held)
	}
	return b.String()
}
