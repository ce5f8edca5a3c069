package mapping

import "testing"

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
