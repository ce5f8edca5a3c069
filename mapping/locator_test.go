package mapping

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestRecallAsksNobody: what the stream has told of a project is known for its later events
// without the database, and nothing is before the first look at it.
func TestRecallAsksNobody(t *testing.T) {
	t.Parallel()
	l := NewLocator(deaf{}, Options{})
	created := &Event{Project: 7, Organization: 2}
	if l.Recall([]*Event{created}) {
		t.Error("all is known before the latest projects were read")
	}
	l.primed = true
	later := &Event{Project: 7}
	if !l.Recall([]*Event{created, later}) || later.Organization != 2 {
		t.Errorf("organization %d, want 2", later.Organization)
	}
	for name, e := range map[string]*Event{"another project": {Project: 8}, "a task alone": {Task: 5}} {
		if l.Recall([]*Event{later, e}) || e.Organization != 0 {
			t.Errorf("%s: organization %d is known", name, e.Organization)
		}
	}
}

// TestTaskWithoutProjectIsCountedAsTask: an event of a task whose project nobody knows
// counts as a row of its table, whatever its action.
func TestTaskWithoutProjectIsCountedAsTask(t *testing.T) {
	s := newSlot(t, "FULL")
	m := NewMetrics(prometheus.NewRegistry())
	l := NewLocator(s.pool, Options{Metrics: m})
	for action, of := range map[Action]table{TaskCreated: task, TaskCompleted: task, TaskReopened: task, AnnotationUpdated: annotation} {
		before := testutil.ToFloat64(m.unroutable[of])
		if err := l.Locate(context.Background(), []*Event{{Action: action, Task: 1 << 30}}); err != nil {
			t.Fatal(err)
		}
		if got := testutil.ToFloat64(m.unroutable[of]) - before; got != 1 {
			t.Errorf("%s counted %v times as %s, want once", action, got, of)
		}
	}
}
