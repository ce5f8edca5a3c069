package mapping

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// changesOf reads a transaction from bytes: four per change.
func changesOf(data []byte) []cdc.Change {
	names := []string{"project", "task", "task_completion", "webhook"}
	schemas := []schema{newSchema(fullKey), newSchema(idKey)}
	var changes []cdc.Change
	for ; len(data) >= 4; data = data[4:] {
		s, name := schemas[data[0]&1], names[data[0]>>1&3]
		id, link := int(data[1]&7)+1, int(data[2]&3)
		v := values{id, link, link + 1, data[3]}
		switch name {
		case "project":
			v = projectRow(id, fmt.Sprint(data[2]), map[bool]any{true: t1}[data[3]&1 != 0])
		case "task_completion":
			v = annotationRow(id, link, int(data[3]&3), fmt.Sprint(data[2]), data[3]&4 != 0).with(5, map[bool]any{true: 1}[data[3]&8 != 0])
		}
		switch data[0] >> 3 & 3 {
		case 0:
			changes = append(changes, s.insert(name, v...))
		case 1:
			changes = append(changes, s.update(name, v.with(3, data[1]), v))
		case 2:
			changes = append(changes, s.remove(name, v...))
		default:
			changes = append(changes, cdc.Change{Op: cdc.Op("TIUD"[data[1]&3]), Relation: s[name]})
		}
	}
	return changes
}

// Whatever a transaction does and however it is cut: no panic, only actions of
// the profile, at most one event per row of a part, ordinals unique and of the
// transaction.
func FuzzEvents(f *testing.F) {
	f.Add([]byte{0, 1, 1, 1, 4, 1, 1, 1, 20, 1, 1, 1, 16, 1, 0, 0}, uint8(0), false)
	f.Add([]byte{4, 1, 1, 1, 12, 1, 2, 1, 20, 1, 1, 1}, uint8(1), true)
	f.Add([]byte{2, 5, 1, 1, 10, 5, 0, 0, 18, 5, 1, 1, 24, 0, 0, 0}, uint8(2), true)
	f.Fuzz(func(t *testing.T, data []byte, size uint8, native bool) {
		changes := changesOf(data)
		allowed := []Action{ProjectCreated, ProjectUpdated, ProjectDeleted, TaskCreated, AnnotationCreated, AnnotationUpdated, AnnotationsDeleted}
		o := Options{BatchSize: 3}
		if native {
			o.Profile = Native
			allowed = []Action{
				ProjectCreated, ProjectUpdated, ProjectDeleted, TasksCreated, TasksDeleted,
				AnnotationCreated, AnnotationsCreated, AnnotationUpdated, AnnotationsDeleted,
			}
		}
		var sizes []int
		if size > 0 {
			sizes = slices.Repeat([]int{int(size)}, len(changes)/int(size))
		}
		var events []*Event
		m, before := NewMapper(o), -1
		for _, part := range parts(1, changes, sizes...) {
			var err error
			if events, err = m.Events(part, events); err != nil {
				return // a change without rows
			}
		}
		rows := map[string]bool{}
		for _, e := range events {
			if !slices.Contains(allowed, e.Action) {
				t.Errorf("%s is not of the profile", e.Action)
			}
			if e.ID.Ordinal <= before || e.ID.Ordinal >= 2*len(changes) {
				t.Errorf("ordinal %d after %d is not in order or not of the transaction", e.ID.Ordinal, before)
			}
			before = e.ID.Ordinal
			ids := []int64{e.subject.id}
			if g := e.subject.group; g != nil {
				ids = ids[:0]
				for _, member := range g.members {
					ids = append(ids, member.id)
				}
				if len(ids) == 0 || len(ids) > o.BatchSize {
					t.Errorf("%s of %d rows", e.Action, len(ids))
				}
			}
			for _, id := range ids {
				row := fmt.Sprint(e.Action.table(), id)
				if rows[row] && size == 0 {
					t.Errorf("several events about %s", row)
				}
				rows[row] = true
			}
		}
	})
}

// However a transaction is cut, it makes the same creations and deletions under
// the same ids, as long as no row is both inserted and deleted in it.
func TestPartsMakeTheSameCreationsAndDeletions(t *testing.T) {
	for _, profile := range []Profile{Guide, Native} {
		t.Run(string(profile), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				changes := lives(t)
				sizes := rapid.SliceOfN(rapid.IntRange(1, 4), 0, len(changes)).Draw(t, "sizes")
				whole, cut := creationsAndDeletions(t, profile, changes, nil), creationsAndDeletions(t, profile, changes, sizes)
				if diff := cmp.Diff(whole, cut); diff != "" {
					t.Errorf("cut in %v (-whole +cut):\n%s", sizes, diff)
				}
			})
		})
	}
}

// lives draws a transaction in which each row is either inserted and perhaps
// updated, or perhaps updated and deleted. Tasks belong to projects 1 to 3 by
// their id, annotations with their task. Of the projects it deletes none but the
// third, whose rows all go, before or after it.
func lives(t *rapid.T) []cdc.Change {
	s := newSchema(fullKey)
	var rows [][]cdc.Change
	for i := range rapid.IntRange(1, 12).Draw(t, "rows") {
		id := i + 10
		of := id%3 + 1
		name, v := "task", values{id, of, "{}"}
		if rapid.Bool().Draw(t, "annotation") {
			in := rapid.IntRange(10, 22).Draw(t, "task")
			of = in%3 + 1
			name, v = "task_completion", annotationRow(id, in, of, t1, rapid.Bool().Draw(t, "skipped"))
		}
		if of == 3 || rapid.Bool().Draw(t, "deleted") {
			rows = append(rows, []cdc.Change{s.update(name, v, v), s.remove(name, v...)})
		} else {
			rows = append(rows, []cdc.Change{s.insert(name, v...), s.update(name, v, v)})
		}
	}
	if rapid.Bool().Draw(t, "project deleted") {
		rows = append(rows, []cdc.Change{s.remove("project", projectRow(3, t1, nil)...)})
	}
	var changes []cdc.Change
	for len(rows) > 0 { // interleave the rows, each in its own order
		i := rapid.IntRange(0, len(rows)-1).Draw(t, "row")
		changes = append(changes, rows[i][0])
		if rows[i] = rows[i][1:]; len(rows[i]) == 0 {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	return changes
}

func creationsAndDeletions(t *rapid.T, profile Profile, changes []cdc.Change, sizes []int) []string {
	m := NewMapper(Options{Profile: profile})
	var events []*Event
	for _, part := range parts(1, slices.Clone(changes), sizes...) {
		var err error
		if events, err = m.Events(part, events); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	for _, e := range events {
		if e.Action != AnnotationUpdated && e.Action != ProjectUpdated {
			told = append(told, tell(e))
		}
	}
	slices.Sort(told) // those that wait come at the end of whatever part is last
	return told
}
