package mapping

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

const endings = "../testdata/labelstudio/endings"

// apiCall is one that was made while the WAL of the endings was recorded.
type apiCall struct {
	Play, Method, Path string
	User               int64
	ID                 int64 // of the annotation that it made
	Began, Ended       int64 // µs
}

// annotation is the one that the call is about.
func (c *apiCall) annotation() int64 {
	var id int64
	if _, err := fmt.Sscanf(c.Path, "/api/annotations/%d/", &id); err == nil {
		return id
	}
	return c.ID
}

// told is what a request of the application said of an annotation and its task.
type told struct {
	Action     Action
	Annotation int64
	UpdatedAt  time.Time `json:"updated_at"`
	Task       struct {
		ID                   int64
		IsLabeled            bool  `json:"is_labeled"`
		TotalAnnotations     int64 `json:"total_annotations"`
		CancelledAnnotations int64 `json:"cancelled_annotations"`
	}
}

func readLines[T any](t *testing.T, name string) []T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(endings, name))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for line := range strings.Lines(string(text)) {
		var one T
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

// TestEndingsOfCallsAtTheSameTime plays what was recorded of calls at the same time, under
// load, and in projects with an overlap. No event leaves by the end of its action before
// its call has written its last stamp on the task, and what the task looks like by then is
// what the application sent, where calls were made one after another.
func TestEndingsOfCallsAtTheSameTime(t *testing.T) {
	f := &film{slot: slot{relations: map[uint32]*cdc.Relation{}}, rows: map[string]map[string]cdc.Tuple{}}
	f.readBase(t)
	wal, err := os.ReadFile(filepath.Join(endings, "wal.pgoutput.hex"))
	if err != nil {
		t.Fatal(err)
	}
	f.add(t, "endings", false, string(wal))
	calls, sent := readLines[apiCall](t, "calls.jsonl"), readLines[told](t, "sent.jsonl")
	scenes := f.play(t, Options{Profile: Native, Settle: time.Second})
	serial := map[string]bool{"ground-truth": true, "under-load": true, "cohort-annotate": true, "different-tasks": true}
	shown, all, compared := map[string]int{}, map[string]int{}, 0
	var before []time.Duration // the caller had its answer
	for _, e := range scenes {
		if e.Action.table() != annotation || e.row == 0 {
			continue
		}
		call := callOf(calls, e, f.shots[e.shot].Time)
		if call == nil {
			t.Errorf("%s of annotation %d is of no call", e.Action, e.row)
			continue
		}
		all[call.Play]++
		if e.EndedBy == 0 {
			continue
		}
		shown[call.Play]++
		before = append(before, time.Duration(call.Ended-f.shots[e.last].Time.UnixMicro())*time.Microsecond)
		for i := e.last + 1; i < len(f.shots) && f.shots[i].Time.UnixMicro() <= call.Ended; i++ {
			if f.shots[i].stampedBy(e.tasks, call.User) {
				t.Errorf("%s: %s of annotation %d left before user %d had stamped task %d for the last time", call.Play, e.Action, e.row, call.User, e.tasks)
			}
		}
		if !serial[call.Play] {
			continue
		}
		for _, s := range sent {
			if s.Action != e.Action || s.Annotation != e.row || !s.UpdatedAt.Equal(e.updated) {
				continue
			}
			compared++
			labeled, total, cancelled := f.taskAt(e.tasks[0], e.last)
			if labeled != s.Task.IsLabeled || total != s.Task.TotalAnnotations || cancelled != s.Task.CancelledAnnotations {
				t.Errorf("%s: %s of annotation %d shows task %d labelled %t with %d and %d annotations, the application sent %t, %d and %d",
					call.Play, e.Action, e.row, e.tasks[0], labeled, total, cancelled, s.Task.IsLabeled, s.Task.TotalAnnotations, s.Task.CancelledAnnotations)
			}
		}
	}
	for _, call := range calls {
		if n, ok := all[call.Play]; ok {
			t.Logf("%-30s %2d of %2d by their end", call.Play, shown[call.Play], n)
			delete(all, call.Play)
		}
	}
	slices.Sort(before)
	t.Logf("the end shows %v before the caller has its answer in the median, %v at least", before[len(before)/2], before[0])
	if compared == 0 {
		t.Error("no event was compared with what the application sent")
	}
}

// callOf is the call that made the event.
func callOf(calls []apiCall, e *scene, at time.Time) *apiCall {
	for i := range calls {
		c := &calls[i]
		if c.annotation() == e.row && c.Began <= at.UnixMicro() && at.UnixMicro() <= c.Ended {
			return c
		}
	}
	return nil
}

// stampedBy reports whether the transaction stamps one of the tasks as that user.
func (s *shot) stampedBy(tasks []int64, user int64) bool {
	return slices.ContainsFunc(tasks, func(id int64) bool { return s.stamped[id] == user })
}

// taskAt is what a task looks like after a transaction.
func (f *film) taskAt(id int64, last int) (labeled bool, total, cancelled int64) {
	for _, s := range f.shots[:last+1] {
		for _, c := range s.Changes {
			if c.Relation.Name == "task" && c.Op != cdc.Delete && ref(c.New, c.Relation.Index("id")) == id {
				labeled = isTrue(c.New, c.Relation.Index("is_labeled"))
				total, cancelled = ref(c.New, c.Relation.Index("total_annotations")), ref(c.New, c.Relation.Index("cancelled_annotations"))
			}
		}
	}
	return labeled, total, cancelled
}
