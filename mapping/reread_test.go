package mapping

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// TestReread: the stream, read again from any earlier transaction, makes the same events
// as before, also if the first reading ended within a transaction; and so it does for a
// mapper that has read nothing else, where rows are whole and no earlier transaction has
// marked a project.
func TestReread(t *testing.T) {
	for _, profile := range []Profile{Guide, Native} {
		for _, identity := range []byte{fullKey, idKey} {
			t.Run(string(profile)+" "+string(identity), func(t *testing.T) {
				often(t, func(t *rapid.T) { reread(t, profile, identity) })
			})
		}
	}
}

func reread(t *rapid.T, profile Profile, identity byte) {
	w := newWorld(t, identity)
	w.final = true
	if profile == Guide { // as setup has it
		w.s["task"].Identity = idKey
	}
	o := Options{Profile: profile, BatchSize: 2, Wanted: wantAll}
	var stream [][]*cdc.Part
	marked := -1 // first transaction that marks a project
	var all []string
	for n := range rapid.IntRange(2, 6).Draw(t, "transactions") {
		changes := w.transaction()
		for _, c := range changes {
			if c.Relation.Name == "project" && c.New.Kind(ofDeleted) == cdc.Text && marked < 0 {
				marked = n
			}
		}
		stream = append(stream, parts(cdc.LSN(n+1), changes, rapid.SliceOfN(rapid.IntRange(1, 4), 0, 3).Draw(t, "sizes")...))
		all = append(all, describe(changes)...)
	}
	m := NewMapper(o)
	read := func(m *Mapper, from int) (told [][]string) {
		for _, tx := range stream[from:] {
			var events []*Event
			for _, part := range tx {
				var err error
				if events, err = m.Events(part, events); err != nil {
					t.Fatal(err)
				}
			}
			if identity != fullKey { // an update of what has been forgotten counts
				events = slices.DeleteFunc(events, func(e *Event) bool { return e.Action == ProjectUpdated || e.Action == AnnotationUpdated })
			}
			told = append(told, tellAll(events))
		}
		return told
	}
	first, at := read(m, 0), len(stream)-1 // at: the last transaction of which something was read
	for range rapid.IntRange(1, 3).Draw(t, "times") {
		from := rapid.IntRange(0, at).Draw(t, "from")
		again := read(m, from)
		if diff := cmp.Diff(first[from:], again); diff != "" {
			t.Fatalf("again from transaction %d (-first +again):\n%s%s", from+1, diff, all)
		}
		if at = len(stream) - 1; rapid.Bool().Draw(t, "cut") { // once more, until the connection ends within a transaction
			from, at = 0, rapid.IntRange(0, at).Draw(t, "ends in")
			for _, tx := range append(slices.Clone(stream[from:at]), stream[at][:1]) {
				for _, part := range tx {
					if _, err := m.Events(part, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	if from := rapid.IntRange(0, len(stream)-1).Draw(t, "restart"); identity == fullKey && (marked < 0 || marked >= from) {
		if diff := cmp.Diff(first[from:], read(NewMapper(o), from)); diff != "" {
			t.Fatalf("restarted at transaction %d (-first +again):\n%s%s", from+1, diff, slices.Clip(all))
		}
	}
}
