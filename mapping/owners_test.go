package mapping

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// TestEmptiedProjectOfAnySize: the Data Manager clears the project of all tasks in one
// transaction and then deletes them in batches. Each deletion is its project's, however
// many there are and in whatever order, also if their ids have gaps.
func TestEmptiedProjectOfAnySize(t *testing.T) {
	const tasks, batch = 70_000, 500
	for name, test := range map[string]struct {
		step     int64 // between two ids of the project
		shuffled bool
	}{
		"imported at once":         {1, false},
		"as they lie in the table": {1, true},
		"with gaps":                {4, true},
	} {
		for identity, key := range map[string]byte{"full": fullKey, "default": idKey} {
			t.Run(name+"/"+identity, func(t *testing.T) {
				t.Parallel()
				s := newSchema(key)
				m := NewMapper(Options{Profile: Native})
				ids := make([]int64, tasks)
				for i := range ids {
					ids[i] = 1 + int64(i)*test.step
				}
				if key == idKey { // their projects are only known from before
					for chunk := range slices.Chunk(ids, 1000) {
						var inserted []cdc.Change
						for _, id := range chunk {
							inserted = append(inserted, s.insert("task", id, 1, "{}"))
						}
						mapAll(t, m, parts(1, inserted))
					}
				}
				if test.shuffled {
					rand.New(rand.NewPCG(1, 2)).Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
				}
				var cleared []cdc.Change
				for _, id := range ids {
					cleared = append(cleared, s.update("task", values{id, 1, "{}"}, values{id, nil, "{}"}))
				}
				sizes := slices.Repeat([]int{1000}, tasks/1000-1)
				mapAll(t, m, parts(2, cleared, sizes...))
				deleted := 0
				for chunk := range slices.Chunk(ids, batch) {
					var gone []cdc.Change
					for _, id := range chunk {
						gone = append(gone, s.remove("task", id, nil, "{}"))
					}
					for _, e := range mapAll(t, m, parts(3, gone)) {
						if e.Action != TasksDeleted || e.Project != 1 {
							t.Fatalf("event %s", tell(e))
						}
						deleted += len(e.subject.group.members)
					}
				}
				if deleted != tasks {
					t.Errorf("%d deleted tasks are in events, want %d", deleted, tasks)
				}
			})
		}
	}
}

// TestOwners: it says what a map says, or nothing; what was just used is known, and the
// number of blocks is bounded.
func TestOwners(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, all := newOwners(8), map[int64]int64{}
		spread := rapid.SampledFrom([]int64{100, 5000, 1 << 40}).Draw(t, "spread")
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			task := rapid.Int64Range(-spread, spread).Draw(t, "task")
			if rapid.Bool().Draw(t, "put") {
				all[task] = rapid.Int64Range(1, 3).Draw(t, "project")
				o.put(task, all[task])
				if project, ok := o.get(task); !ok || project != all[task] {
					t.Fatalf("task %d is of project %d, %t, want %d", task, project, ok, all[task])
				}
			} else if project, ok := o.get(task); ok && project != all[task] {
				t.Fatalf("task %d is of project %d, want %d", task, project, all[task])
			}
			if o.blocks > o.size {
				t.Fatalf("%d blocks, want %d at most", o.blocks, o.size)
			}
		}
	})
}
