package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
)

// TestDeletedProjectIsKnownAfterReconnect: what was read before the position at which the
// stream is read again is still known, and what comes after it is not yet.
func TestDeletedProjectIsKnownAfterReconnect(t *testing.T) {
	for _, identity := range []byte{fullKey, idKey} {
		s := newSchema(identity)
		p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
		m := NewMapper(Options{})
		read := func(commit cdc.LSN, timeline int32, changes ...cdc.Change) string {
			part := parts(commit, changes)[0]
			part.Timeline = timeline
			return strings.Join(tellAll(mapAll(t, m, []*cdc.Part{part})), ", ")
		}
		other := s.insert("task", 9, 2, "{}")
		const deleted, later, gone = "0 ANNOTATIONS_DELETED [7] project 1 task 5", "0 TASK_CREATED [9] project 2 task 9", "0 PROJECT_DELETED [1] project 1 task 0"
		for i, step := range []struct{ got, want string }{
			{read(100, 1, s.insert("project", p...)), "0 PROJECT_CREATED [1] project 1 task 0"},
			{read(110, 1, s.insert("task_completion", a...)), "0 ANNOTATION_CREATED [7] project 1 task 5"},
			{read(200, 1, s.update("project", p, p.with(4, t2))), gone},
			{read(300, 1, other), later},
			{read(300, 1, other), later}, // again
			{read(300, 1, other), later},
			{read(400, 1, s.remove("task_completion", a...)), ""},
			{read(150, 1, s.remove("task_completion", a...)), deleted}, // before the mark
			{read(200, 1, s.update("project", p, p.with(4, t2))), gone},
			{read(150, 2, s.remove("task_completion", a...)), deleted}, // where the mark was lost
			{read(400, 2, s.remove("task_completion", a...)), deleted},
			{read(500, 2, s.update("project", p, p.with(4, t2))), gone},
			{read(510, 2, s.update("project", p.with(4, t2), p.with(4, t2).with(2, t2))), ""},
			{read(505, 2, s.remove("task_completion", a...)), ""},      // after the mark, before the later update
			{read(600, 3, s.remove("task_completion", a...)), deleted}, // where the mark was lost, though more was written since
		} {
			if step.got != step.want {
				t.Errorf("identity %c, step %d: %q, want %q", identity, i, step.got, step.want)
			}
		}
	}
}

// A stream whose deleted and old rows say no more than their id.
func TestEventsByMemory(t *testing.T) {
	s := newSchema(idKey)
	p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
	tests := []struct {
		name string
		txs  [][]cdc.Change
		want []string // of the last transaction, native
	}{
		{
			name: "unknown update counts",
			txs:  [][]cdc.Change{{s.update("task_completion", nil, a)}},
			want: []string{"0 ANNOTATION_UPDATED [7] project 1 task 5"},
		},
		{
			name: "updated_at stands still",
			txs:  [][]cdc.Change{{s.insert("task_completion", a...)}, {s.update("task_completion", nil, a.with(5, 2))}},
			want: []string{},
		},
		{
			name: "updated_at moves",
			txs:  [][]cdc.Change{{s.insert("task_completion", a...)}, {s.update("task_completion", nil, a.with(3, t2))}},
			want: []string{"0 ANNOTATION_UPDATED [7] project 1 task 5"},
		},
		{
			name: "deleted annotation",
			txs:  [][]cdc.Change{{s.insert("task_completion", a...)}, {s.remove("task_completion", 7)}},
			want: []string{"0 ANNOTATIONS_DELETED [7] project 1 task 5"},
		},
		{
			name: "deleted annotation without project of its own",
			txs:  [][]cdc.Change{{s.insert("task", 5, 3, "{}"), s.insert("task_completion", a.with(2, nil)...)}, {s.remove("task_completion", 7)}},
			want: []string{"0 ANNOTATIONS_DELETED [7] project 3 task 5"},
		},
		{
			name: "deleted annotation that was never seen",
			txs:  [][]cdc.Change{{s.remove("task_completion", 7)}},
			want: []string{},
		},
		{
			name: "task whose project was cleared before",
			txs:  [][]cdc.Change{{s.insert("task", 5, 1, "{}")}, {s.update("task", nil, values{5, nil, "{}"})}, {s.remove("task", 5)}},
			want: []string{"0 TASKS_DELETED [5] project 1 task 5"},
		},
		{
			name: "project soft-deleted",
			txs:  [][]cdc.Change{{s.insert("project", p...)}, {s.update("project", nil, p.with(4, t2))}},
			want: []string{"0 PROJECT_DELETED [1] project 1 task 0"},
		},
		{
			name: "project soft-deleted, then deleted",
			txs:  [][]cdc.Change{{s.update("project", nil, p.with(4, t2))}, {s.remove("project", 1)}},
			want: []string{},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := NewMapper(Options{Profile: Native})
			var got []string
			for i, tx := range test.txs {
				got = tellAll(mapAll(t, m, parts(cdc.LSN(100+i), tx)))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

// With full identity of tasks the cleared project is in the old row alone.
func TestClearedProjectOfTask(t *testing.T) {
	s := newSchema(fullKey)
	m := NewMapper(Options{Profile: Native})
	mapAll(t, m, parts(1, []cdc.Change{s.update("task", values{5, 1, "{}"}, values{5, nil, "{}"})}))
	got := tellAll(mapAll(t, m, parts(2, []cdc.Change{s.remove("task", 5, nil, "{}")})))
	if diff := cmp.Diff([]string{"0 TASKS_DELETED [5] project 1 task 5"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// A transaction that is read again makes the events that it made before,
// though the mapper has seen what came of it.
func TestReadAgainMakesTheSameEvents(t *testing.T) {
	s := newSchema(idKey)
	p, a := projectRow(1, t1, nil), annotationRow(7, 5, 1, t1, false)
	m := NewMapper(Options{})
	stream := [][]cdc.Change{
		{s.insert("project", p...), s.insert("task_completion", a...)},
		{s.update("task_completion", nil, a.with(3, t2))},
		{s.remove("task_completion", 7)},
		{s.update("project", nil, p.with(4, t2))},
	}
	var first [][]string
	for from := range stream { // the first time, and again from each transaction on
		var told [][]string
		for i, tx := range stream[from:] {
			told = append(told, tellAll(mapAll(t, m, parts(cdc.LSN(from+i+1), tx))))
		}
		if from == 0 {
			first = told
		}
		if diff := cmp.Diff(first[from:], told); diff != "" {
			t.Errorf("events from transaction %d on (-first +again):\n%s", from, diff)
		}
	}
	if n := len(slices.Concat(first...)); n != 5 {
		t.Errorf("events: %q, want five", first)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent[int](4)
	for i := range int64(100) {
		r.put(i, int(i))
		if _, ok := r.get(0); !ok {
			t.Fatalf("what is used is forgotten after %d", i)
		}
	}
	if _, ok := r.get(50); ok {
		t.Error("what is not used is remembered for good")
	}
	if n := len(r.young) + len(r.old); n > 8 {
		t.Errorf("%d entries, want 8 at most", n)
	}
}

// TestWholeRowsNeedNoMemory: since old rows are whole, what was known of an annotation
// before counts no more: it has lost its task.
func TestWholeRowsNeedNoMemory(t *testing.T) {
	t.Parallel()
	m, key, full := NewMapper(Options{}), newSchema(idKey), newSchema(fullKey)
	if _, err := m.Events(parts(1, []cdc.Change{key.insert("task_completion", annotationRow(7, 5, 1, t1, false)...)})[0], nil); err != nil {
		t.Fatal(err)
	}
	lost := annotationRow(7, 5, 1, t1, false).with(1, nil)
	events, err := m.Events(parts(2, []cdc.Change{full.update("task_completion", lost, lost.with(3, t2))})[0], nil)
	if got := fmt.Sprint(tellAll(events)); err != nil || got != "[0 ANNOTATION_UPDATED [7] project 1 task 0]" {
		t.Errorf("%s, %v", got, err)
	}
}
