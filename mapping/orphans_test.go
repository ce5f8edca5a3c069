package mapping

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// TestOrphans: whatever is held comes out once, in the order of the ids, when its
// organization is known or can no longer be, and never takes more than the bound.
func TestOrphans(t *testing.T) {
	s := newSchema(fullKey)
	rapid.Check(t, func(t *rapid.T) {
		const limit = 20_000
		o := NewOrphans[int](limit)
		held := map[ID]int64{} // → until
		projects := map[ID]int64{}
		for at := cdc.LSN(1); at < 40; at++ {
			if rapid.IntRange(0, 3).Draw(t, "what") > 0 {
				e := &Event{ID: ID{Commit: at}, Project: rapid.Int64Range(1, 4).Draw(t, "project")}
				result := strings.Repeat("x", rapid.IntRange(0, 3000).Draw(t, "size"))
				e.subject = subject{relation: s["task_completion"], id: int64(at), image: image{row: row(s["task_completion"], at, 5, 1, t1, "f", 1, nil, result)}}
				until := at + cdc.LSN(rapid.IntRange(1, 20).Draw(t, "until"))
				if !o.Hold(e, until, int(at)) {
					if o.used < limit/2-5000 {
						t.Fatalf("no room for an event, with %d bytes held", o.used)
					}
					continue
				}
				for id := range held {
					if projects[id] == e.Project {
						until = max(until, cdc.LSN(held[id]))
					}
				}
				held[e.ID], projects[e.ID] = int64(until), e.Project
				for id := range held { // they all wait for the latest
					if projects[id] == e.Project {
						held[id] = int64(until)
					}
				}
			}
			if o.used > limit {
				t.Fatalf("%d bytes are held, the bound is %d", o.used, limit)
			}
			told := rapid.Int64Range(0, 8).Draw(t, "told") // a project whose organization is known now
			last := cdc.LSN(0)
			o.Take(at, func(project int64) int64 {
				if project == told {
					return 7
				}
				return 0
			}, func(e *Event, item int) {
				if e.ID.Commit <= last || cdc.LSN(item) != e.ID.Commit {
					t.Fatalf("%v with %d after %v", e.ID, item, last)
				}
				last = e.ID.Commit
				if _, ok := held[e.ID]; !ok {
					t.Fatalf("%v came twice, or was not held", e.ID)
				}
				if (e.Organization == 7) != (e.Project == told) || e.Project != told && held[e.ID] > int64(at) {
					t.Fatalf("%v of project %d came at %d with organization %d; it was to wait until %d", e.ID, e.Project, at, e.Organization, held[e.ID])
				}
				delete(held, e.ID)
			})
			for id := range held {
				if projects[id] == told {
					t.Fatalf("%v still waits, though the organization of project %d is known", id, told)
				}
			}
		}
		n := 0
		o.Take(1<<40, func(int64) int64 { return 0 }, func(*Event, int) { n++ })
		if n != len(held) || o.Len() != 0 || o.used != 0 {
			t.Fatalf("%d events came at the end, want %d; %d projects and %d bytes are held", n, len(held), o.Len(), o.used)
		}
	})
}

// TestOrphansLetTheirPartGo: what is held is a copy.
func TestOrphansLetTheirPartGo(t *testing.T) {
	s := newSchema(fullKey)
	whole := row(s["task_completion"], 7, 5, 1, t1, "f", 1, nil, "[1]")
	for _, limit := range []int{1 << 20, 1000} {
		e := &Event{ID: ID{Commit: 1}, Project: 1, subject: subject{relation: s["task_completion"], id: 7, image: image{row: whole}}}
		e.subject.group = &group{members: []member{{id: 7}}, rows: []image{{old: whole}}}
		if !NewOrphans[int](limit).Hold(e, 2, 0) {
			t.Fatalf("no room within %d bytes", limit)
		}
		if kept := e.subject.image.row; !kept.IsZero() && &kept.Text(7)[0] == &whole.Text(7)[0] {
			t.Error("the row shares the bytes of the part")
		}
		if limit == 1000 && !e.subject.image.row.IsZero() {
			t.Error("the row is held beyond half of the bound")
		}
	}
}
