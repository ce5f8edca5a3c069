package dispatchtest

import (
	"strconv"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Event returns the n-th event of a fixed commit: an update of an annotation of the task,
// in project 1.
func Event(n int, task int64) *mapping.Event {
	now := time.Now()
	return &mapping.Event{
		ID: mapping.ID{Timeline: 1, Commit: 0x16B374D848, Ordinal: n}, Action: mapping.AnnotationUpdated,
		Committed: now, Received: now, Organization: 1, Project: 1, Task: task,
		Payload: []byte(`"annotation": {"id": ` + strconv.Itoa(n) + `}`),
	}
}
