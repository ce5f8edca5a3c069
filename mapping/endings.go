package mapping

import (
	"slices"
	"time"
)

// One action of a user causes several transactions: Label Studio writes the annotation,
// then its task's counters, then the task's time stamp. In the stream, updates of the
// task show the end of an action. The new row distinguishes them:
//
//	counters  an update that leaves updated_at no later than the annotation's
//	stamp     an update that sets updated_at later, by the annotation's user
//
// Only patterns that recordings of the application prove count as an end.

// ending is the way in which the stream shows the end of an event's action.
type ending byte

const (
	unseen   ending = iota // not at all
	atOnce                 // the transaction is the end
	saved                  // an annotation was created, or its task skipped: counters and a stamp
	changed                // an annotation was changed: counters and two stamps
	removed                // annotations were deleted: three updates of each task
	erased                 // annotations were deleted: the same, or the task's deletion
	listed                 // annotations were created from predictions: two updates of each task, one of them a stamp by any user
	followed               // is_labeled of a task has changed: ends with the task's actions in progress
)

func endingOf(action Action, f *fold) ending {
	switch action {
	case ProjectCreated, ProjectDeleted, TaskCreated:
		return atOnce
	case ProjectUpdated:
		if f.rearranged {
			return unseen // changes of the overlap follow, and with it is_labeled
		}
		return atOnce
	case TaskCompleted, TaskReopened:
		return followed
	case AnnotationCreated, AnnotationUpdated:
		return endingOfAnnotation(f.created(), f.image, f.shape)
	}
	return unseen
}

func endingOfAnnotation(created bool, i image, s *shape) ending {
	switch {
	case i.row.IsZero() || ref(i.row, s.task) == 0:
		return unseen
	case created && isTrue(i.row, s.groundTruth):
		return unseen // the mark is removed from the task's other annotations afterwards
	case ref(i.row, s.updatedBy) != 0 && created:
		return saved
	case ref(i.row, s.updatedBy) != 0:
		return changed
	case created && ref(i.row, s.parentPrediction) != 0:
		return listed
	}
	return unseen
}

// rearranging are the columns of a project whose change makes Label Studio rearrange the
// overlap of its tasks.
var rearranging = []string{"maximum_annotations", "overlap_cohort_percentage", "show_overlap_first", "skip_queue"}

// A Sign is a change in the stream that may show the end of an action: an update or the
// deletion of a task, or an update of an annotation that is not an event, which begins a
// change: the task is written before the event. It refers to its part.
type Sign struct {
	task      int64
	updatedAt []byte
	updatedBy int64
	gone      bool
	begun     int64 // the annotation; 0: the sign is about the task
}

// watches recognizes the ends of actions by the signs in the stream. If the signs of two
// actions could be confused, neither has a recognizable end. It is pure: the caller
// passes the time.
type watches[K any] struct {
	tasks map[int64][]*watched[K]
	queue []*watch[K] // in order of until
}

// watch is an event whose end is awaited.
type watch[K any] struct {
	action
	key   K
	how   ending
	open  int       // tasks that have not shown the end
	void  bool      // the end cannot be recognized
	begun bool      // the action's event is still to come and replaces this watch
	until time.Time // when its signs can no longer arrive

	followers []K // events that end with it
}

// watched is what the stream has shown of one task of a watch.
type watched[K any] struct {
	of                        *watch[K]
	counters, stamps, updates int
	complete                  bool
}

func newWatches[K any]() watches[K] { return watches[K]{tasks: map[int64][]*watched[K]{}} }

// begin records that a change of an annotation has begun, unless its event has arrived.
func (w *watches[K]) begin(s *Sign, now, until time.Time) {
	for _, there := range w.tasks[s.task] {
		if there.of.row == s.begun {
			return
		}
	}
	w.add(&watch[K]{action: action{row: s.begun, tasks: []int64{s.task}}, void: true, begun: true, until: until}, now)
}

// add begins a watch. Calls are approximately in order of until. It drops the record of
// the change's beginning.
func (w *watches[K]) add(of *watch[K], now time.Time) {
	w.expire(now)
	if len(of.tasks) == 0 {
		return
	}
	if of.row != 0 {
		for _, there := range slices.Clone(w.tasks[of.tasks[0]]) {
			if there.of.row == of.row && there.of.how == unseen {
				of.followers = append(of.followers, there.of.followers...)
				w.drop(there.of)
			}
		}
	}
	of.open = len(of.tasks)
	w.queue = append(w.queue, of)
	for _, task := range of.tasks {
		there := w.tasks[task]
		for _, other := range there {
			if of.clashes(other.of) {
				of.void, other.of.void = true, true
			}
		}
		if len(there) == crowd {
			there[0].of.void = true
			there = slices.Delete(there, 0, 1)
		}
		w.tasks[task] = append(there, &watched[K]{of: of})
	}
}

// crowd bounds the watches of one task.
const crowd = 16

// clashes reports whether the signs of the two could be confused. If two users each
// create an annotation, their stamps differ.
func (a *watch[K]) clashes(b *watch[K]) bool {
	return !a.made || !b.made || a.user == 0 || a.user == b.user
}

// follow makes an event end with the actions of the task in progress, and returns their
// number: ended is called for the event as often. It is 0 if none of them shows its end,
// or if their ends could be confused.
func (w *watches[K]) follow(task int64, key K) (actions int) {
	var under []*watch[K]
	for _, seen := range w.tasks[task] {
		switch of := seen.of; {
		case of.begun:
		case of.void:
			return 0
		case seen.complete:
			continue // other tasks of it continue
		}
		under = append(under, seen.of)
	}
	for _, of := range under {
		of.followers = append(of.followers, key)
	}
	return len(under)
}

// see calls ended for each event whose watch the sign completes, and for its followers.
func (w *watches[K]) see(s *Sign, ended func(K)) {
	var complete []*watch[K]
	for _, seen := range w.tasks[s.task] {
		if seen.complete || !seen.isEndedBy(s) {
			continue
		}
		seen.complete = true
		if seen.of.open--; seen.of.open == 0 {
			complete = append(complete, seen.of)
		}
	}
	for _, of := range complete {
		if !of.void { // otherwise signs of the clashing watches are still to come
			w.drop(of)
			ended(of.key)
			for _, key := range of.followers {
				ended(key)
			}
		}
	}
}

// isEndedBy counts the sign, and reports whether the task has shown the end.
func (t *watched[K]) isEndedBy(s *Sign) bool {
	of := t.of
	t.updates++
	switch later := string(s.updatedAt) > of.after; {
	case s.updatedAt == nil:
	case !later:
		t.counters++
	case of.user == 0 || of.user == s.updatedBy:
		t.stamps++
	}
	end, ok := ends[of.how]
	return ok && (s.gone && end.gone || t.counters >= end.counters && t.stamps >= end.stamps && t.updates >= end.updates)
}

// ends are the updates of each task that show the end of an action, or its deletion.
var ends = map[ending]struct {
	counters, stamps, updates int
	gone                      bool
}{
	saved:   {counters: 1, stamps: 1, gone: true},
	changed: {counters: 1, stamps: 2, gone: true},
	listed:  {updates: 2, stamps: 1, gone: true},
	removed: {updates: 3},
	erased:  {updates: 3, gone: true},
}

// expire ends the watches whose signs can no longer come.
func (w *watches[K]) expire(now time.Time) {
	n := 0
	for n < len(w.queue) && now.After(w.queue[n].until) {
		w.forget(w.queue[n])
		w.queue[n] = nil
		n++
	}
	w.queue = w.queue[n:]
}

func (w *watches[K]) drop(of *watch[K]) {
	w.forget(of)
	if i := slices.Index(w.queue, of); i >= 0 {
		w.queue = slices.Delete(w.queue, i, i+1)
	}
}

func (w *watches[K]) forget(of *watch[K]) {
	for _, task := range of.tasks {
		left := slices.DeleteFunc(w.tasks[task], func(t *watched[K]) bool { return t.of == of })
		if len(left) == 0 {
			delete(w.tasks, task)
		} else {
			w.tasks[task] = left
		}
	}
}
