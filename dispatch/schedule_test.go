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

// model is the specification of a schedule: a list that is searched each time.
type model []*modelDelivery

type modelDelivery struct {
	delivery *delivery
	state    stage // behind stands for "has not been handed out"
}

// concerns reports whether one of the two must wait for the other.
func concerns(a, b *delivery) bool {
	return a.project == b.project && (a.task == b.task || a.task == 0 || b.task == 0)
}

// isPassed reports whether the delivery, or an earlier one of its task, is held.
func (m model) isPassed(d *delivery) bool {
	for _, mi := range m {
		if mi.delivery.held && mi.delivery.project == d.project && mi.delivery.task == d.task {
			return true
		}
	}
	return false
}

// mayGo reports whether all unfinished deliveries before the i-th are held ones of other
// tasks.
func (m model) mayGo(i int) bool {
	d := m[i].delivery
	for _, earlier := range m[:i] {
		if b := earlier.delivery; concerns(b, d) && (b.task == d.task || !m.isPassed(b)) {
			return false
		}
	}
	return true
}

// isFree reports whether no running delivery that passed a held one delays the i-th.
func (m model) isFree(i int) bool {
	for _, mi := range m {
		if b := mi.delivery; b != m[i].delivery && mi.state == running && concerns(b, m[i].delivery) && (b.task == m[i].delivery.task || !m.isPassed(b)) {
			return false
		}
	}
	return true
}

func (m model) index(d *delivery) int {
	for i := range m {
		if m[i].delivery == d {
			return i
		}
	}
	return -1
}

// pick draws one of the deliveries in that state, nil if there is none.
func (m model) pick(t *rapid.T, s stage) *modelDelivery {
	var some []*modelDelivery
	for _, mi := range m {
		if mi.state == s {
			some = append(some, mi)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return rapid.SampledFrom(some).Draw(t, "delivery")
}

// sift records waiting deliveries that are now behind others, and checks the reason.
func (m model) sift() {
	for _, mi := range m {
		if mi.state == waiting && mi.delivery.state == behind {
			mi.state = behind
		}
	}
}

// stuck returns the first delivery that may go but was not handed out.
func (m model) stuck() *delivery {
	for i, mi := range m {
		if mi.state == behind && m.mayGo(i) && m.isFree(i) {
			return mi.delivery
		}
	}
	return nil
}

func TestScheduleAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s schedule
		var m model
		added, finished := 0, 0
		handedOut := func(d *delivery, who string) {
			i := m.index(d)
			if i < 0 || m[i].state != behind {
				t.Fatalf("%s handed out event %d, which is not waiting for it", who, d.event.Ordinal)
			}
			if !m.mayGo(i) {
				t.Fatalf("%s handed out event %d before its turn\n%s", who, d.event.Ordinal, m)
			}
			m[i].state = running
		}
		finish := func(mi *modelDelivery) {
			s.done(mi.delivery)
			i := m.index(mi.delivery)
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
				d := newDelivery(Delivery{Event: e}, nil, time.Time{})
				added++
				s.add(d)
				m = append(m, &modelDelivery{delivery: d})
			},
			"next": func(*rapid.T) {
				d := s.next()
				if d == nil {
					if stuck := m.stuck(); stuck != nil {
						t.Fatalf("event %d is stuck", stuck.event.Ordinal)
					}
					return
				}
				handedOut(d, "next")
			},
			"take": func(t *rapid.T) {
				var some []*delivery
				for _, mi := range m {
					if mi.delivery.state == ready {
						some = append(some, mi.delivery)
					}
				}
				if len(some) > 0 {
					d := rapid.SampledFrom(some).Draw(t, "delivery")
					s.handOut(d)
					handedOut(d, "take")
				}
			},
			"pass": func(t *rapid.T) {
				if mi := m.pick(t, waiting); mi != nil && !mi.delivery.held {
					s.pass(mi.delivery)
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
					s.hold(mi.delivery)
					mi.state = waiting
					m.sift()
				}
			},
			"release": func(t *rapid.T) {
				if mi := m.pick(t, waiting); mi != nil {
					s.release(mi.delivery)
					mi.state = behind
				}
			},
		})
		for _, mi := range m { // nothing is lost: all of it can be finished
			if mi.state == waiting {
				s.release(mi.delivery)
				mi.state = behind
			}
		}
		for len(m) > 0 {
			if d := s.next(); d != nil {
				handedOut(d, "next")
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

func firstRunning(m model) *modelDelivery {
	for _, mi := range m {
		if mi.state == running {
			return mi
		}
	}
	return nil
}

// The queue frees deliveries from its front that were handed out.
func TestScheduleDoesNotKeepWhatIsDone(t *testing.T) {
	var s schedule
	for n := range 100 {
		s.add(newDelivery(Delivery{Event: dispatchtest.Event(n, int64(n+1))}, nil, time.Time{}))
	}
	for range 99 {
		s.handOut(s.oldest)
		s.done(s.oldest)
	}
	if n := len(s.queue.deliveries) - s.queue.from; n > 2 {
		t.Errorf("the queue keeps %d deliveries", n)
	}
}

// TestPassingLeavesOtherProjectsAlone: a delivery that runs ahead of its turn is still known
// to be when another project passes a delivery, or has done with it.
func TestPassingLeavesOtherProjectsAlone(t *testing.T) {
	var s schedule
	running := func(n int, project, task int64) *delivery {
		d := newDelivery(Delivery{Event: &mapping.Event{ID: mapping.ID{Ordinal: n}, Project: project, Task: task}}, nil, time.Time{})
		s.add(d)
		s.handOut(d)
		return d
	}
	ahead := running(0, 1, 1)
	ahead.early = true // as by window.evict: what it passed may be in the tail
	refused := running(1, 2, 1)
	s.hold(refused)
	s.pass(refused)
	if !ahead.early {
		t.Error("it is not early after another project has passed a delivery")
	}
	s.add(newDelivery(Delivery{Event: &mapping.Event{ID: mapping.ID{Ordinal: 2}, Project: 2, Task: 1}}, nil, time.Time{}))
	s.release(refused)
	s.handOut(refused)
	s.done(refused)
	if !ahead.early {
		t.Error("it is not early after another project is done with what it passed")
	}
}

// String prints the model for people.
func (m model) String() string {
	var b strings.Builder
	for _, mi := range m {
		fmt.Fprintf(&b, "event %d of project %d, task %d: state %d, early %t, held %t\n", mi.delivery.event.Ordinal, mi.delivery.project, mi.delivery.task, mi.delivery.state, mi.delivery.early, mi.delivery.held)
	}
	return b.String()
}
