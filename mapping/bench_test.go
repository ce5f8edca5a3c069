package mapping

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// One annotation per transaction, as it comes from an annotator, and many in
// one transaction.
func BenchmarkEvents(b *testing.B) {
	result := `[{"id": "c1", "value": "` + strings.Repeat("x", 600) + `"}]`
	for _, identity := range []byte{fullKey, idKey} {
		for _, rows := range []int{1, 1000} {
			b.Run(fmt.Sprintf("identity=%c/rows=%d", identity, rows), func(b *testing.B) {
				s := newSchema(identity)
				var changes []cdc.Change
				for i := range rows {
					a := annotationRow(i+1, i+1, 1, t2, false).with(7, result)
					changes = append(changes, s.update("task_completion", a.with(3, t1), a))
				}
				part := parts(1, changes)[0]
				m, events := NewMapper(Options{}), []*Event(nil)
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					part.Commit = cdc.LSN(n + 1)
					var err error
					if events, err = m.Events(part, events[:0]); err != nil || len(events) == 0 && identity == fullKey {
						b.Fatal(len(events), err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			})
		}
	}
}

// A batch of annotations of one project, with the queries that it takes.
func BenchmarkRender(b *testing.B) {
	s := newSlot(b, "FULL")
	s.db.Exec(b, `INSERT INTO task_completion (result, was_cancelled, ground_truth, created_at, updated_at, task_id, result_count, project_id, unique_id)
		SELECT '[{"id": "c1", "type": "choices", "value": {"choices": ["Positive"]}, "to_name": "text", "from_name": "sentiment"}]',
		false, false, now(), now(), 1 + i % 12, 1, 1, gen_random_uuid() FROM generate_series(1, 256) i`)
	part := s.parts(b)[0]
	r := NewRenderer(s.pool, Options{})
	size, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		events := mapAll(b, NewMapper(Options{}), []*cdc.Part{part})
		b.StartTimer()
		if err := r.Render(context.Background(), events); err != nil {
			b.Fatal(err)
		}
		for _, e := range events {
			size += e.Body(e.Action, true).Len()
		}
		n += len(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
	b.ReportMetric(float64(size)/float64(n), "B/body")
}

// TestEventsAllocateOneEach: the event itself, and nothing per row or column.
func TestEventsAllocateOneEach(t *testing.T) {
	s := newSchema(fullKey)
	var changes []cdc.Change
	for i := range 100 {
		a := annotationRow(i+1, i+1, 1, t2, false)
		changes = append(changes, s.update("task_completion", a.with(3, t1), a))
	}
	part := parts(1, changes)[0]
	m, events, commit := NewMapper(Options{}), []*Event(nil), cdc.LSN(0)
	n := testing.AllocsPerRun(50, func() {
		commit++
		part.Commit = commit
		var err error
		if events, err = m.Events(part, events[:0]); err != nil || len(events) != len(changes) {
			t.Fatal(len(events), err)
		}
	})
	if most := float64(len(changes) + 2); n > most {
		t.Errorf("%v allocations for %d events, want %v at most", n, len(changes), most)
	}
}

// BenchmarkSettler is the way of events of long ago, which wait for nothing, and of those
// whose end is looked for.
func BenchmarkSettler(b *testing.B) {
	s := newSchema(fullKey)
	whole := row(s["task_completion"], annotationRow(7, 5, 1, t1, false)...)
	for _, test := range []struct {
		name string
		age  time.Duration
	}{{"caughtup", time.Hour}, {"live", 999 * time.Millisecond}} {
		b.Run(test.name, func(b *testing.B) {
			settler := NewSettler[int](Options{Settle: time.Second})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				settler.Add(&Event{
					Action: AnnotationCreated, Received: time.Now(), Age: test.age, Project: 1, Task: int64(i % 5000), ending: saved,
					subject: subject{relation: s["task_completion"], id: 7, image: image{row: whole}},
				}, i)
				if i%500 == 499 {
					for settler.Len() > 0 {
						if _, err := settler.Next(b.Context(), 500); err != nil {
							b.Fatal(err)
						}
					}
				}
			}
		})
	}
}
