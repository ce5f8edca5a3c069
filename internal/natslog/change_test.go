package natslog_test

import (
	"testing"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestAnyHookMayHaveChanged: every term tells every partition, though an earlier one that began at the
// same commit has told them, and each under an id of its own.
func TestAnyHookMayHaveChanged(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	tail, ids := follow(t, l), map[string]int{}
	for range 2 {
		w, told := newReader(t, l), 0
		w.Change(0, 0x100, func() { told++ })
		if err := w.Enqueue(t.Context(), nil); err != nil || told != 1 {
			t.Fatalf("told %d times, %v", told, err)
		}
		messages, progress := take(t, tail, natslog.Partitions)
		for i, m := range messages {
			if m.Partition != i || m.Event != nil || m.Changed != 0 || m.Commit != 0x100 {
				t.Errorf("message %d is %+v", i, m)
			}
			if _, _, err := progress[i].Take(m); err != nil {
				t.Error(err)
			}
			ids[m.ID]++
		}
	}
	if len(ids) != 2 {
		t.Errorf("the ids are %v", ids)
	}
	w := newReader(t, l)
	w.passed(0x101)
	if w.Has(event(0x100).ID, 1) {
		t.Error("changes are taken for an event")
	}
}
