package state_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// bodyOf has 2 KB, of which the half is the same in all events of a project, as
// in Label Studio's bodies.
func bodyOf(random *rand.Rand) []byte {
	var b strings.Builder
	b.WriteString(`{"action": "ANNOTATION_UPDATED", "annotation": {"id": 17, "result": [`)
	for b.Len() < 1200 {
		fmt.Fprintf(&b, `{"id": "%x", "type": "labels", "value": {"end": %d, "text": "%x", "start": %d, "labels": ["PER"]}, "to_name": "text", "from_name": "label"}, `,
			random.Uint32(), random.IntN(1000), random.Uint64(), random.IntN(1000))
	}
	b.WriteString(`]}, "project": {"id": 1, "task_number": 126, "finished_task_number": 9, "label_config": "<View>`)
	for i := 0; b.Len() < 1990; i++ {
		fmt.Fprintf(&b, `<Label value=\"LABEL%d\" background=\"#aabb%02x\"/>`, i, i)
	}
	b.WriteString(`</View>"}}`)
	return []byte(b.String())
}

// large are n deliveries with bodies of 2 KB.
func large(n int) []state.Row {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([]state.Row, n)
	for i := range rows {
		rows[i] = delivery(1, i)
		rows[i].Body = mapping.BodyOf(bodyOf(random))
	}
	return rows
}

// BenchmarkPark is one batch of n inserts per operation.
func BenchmarkPark(b *testing.B) {
	for _, n := range []int{1, 1000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			store := newStore(b, migrated(b))
			rows := large(20 * n)
			next := 0
			for b.Loop() {
				batch := rows[next%len(rows):][:n]
				for i := range batch {
					batch[i].Event = event(next + i)
				}
				next += n
				apply(b, store, state.Batch{Insert: batch})
			}
			b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkAttempts is what follows parking, per row: one failed attempt and the
// deletion after delivery, in batches of 1000.
func BenchmarkAttempts(b *testing.B) {
	const n = 1000
	store := newStore(b, migrated(b))
	rows := large(n)
	update, remove := make([]state.Attempt, n), make([]state.Key, n)
	for b.Loop() {
		b.StopTimer()
		apply(b, store, state.Batch{Insert: rows})
		for i := range rows {
			update[i] = state.Attempt{Key: rows[i].Key, Attempts: 3, Next: begin, LastResult: "timeout"}
			remove[i] = rows[i].Key
		}
		b.StartTimer()
		apply(b, store, state.Batch{Update: update})
		apply(b, store, state.Batch{Delete: remove})
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkTail reads a backlog of 20 000 rows in parts of 1000.
func BenchmarkTail(b *testing.B) {
	store := newStore(b, migrated(b))
	rows := large(20_000)
	for part := range 20 {
		apply(b, store, state.Batch{Insert: rows[part*1000:][:1000]})
	}
	b.Run("tail", func(b *testing.B) {
		read := 0
		part := state.Part{Hook: 1, Rows: 1000}
		for b.Loop() {
			rows, err := store.Tail(b.Context(), part)
			if err != nil {
				b.Fatal(err)
			}
			read += len(rows)
			if part.After = (mapping.ID{}); len(rows) > 0 {
				part.After = rows[len(rows)-1].Event
			}
		}
		b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("backlogs", func(b *testing.B) {
		for b.Loop() {
			if _, err := store.Backlogs(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHeads looks for 16 heads among 500 000 rows of 50 000 tasks in 10 projects, in
// one of which an event of the whole project waits.
func BenchmarkHeads(b *testing.B) {
	db := migrated(b)
	store := newStore(b, db)
	db.Exec(b, `INSERT INTO "Hook""tail".parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
		SELECT 1, '0/0'::pg_lsn + n * 1000, 0, 1, n::text, 'ANNOTATION_UPDATED', n % 10, CASE WHEN n = 100000 THEN 0 ELSE 1 + n % 50000 END, now(),
			(SELECT convert_to(string_agg(md5((n * i)::text), ''), 'UTF8') FROM generate_series(1, 16) i), 512, now() FROM generate_series(1, 500000) n`)
	for _, analyzed := range []bool{false, true} {
		if analyzed {
			db.Exec(b, `VACUUM ANALYZE "Hook""tail".parked`)
		}
		for _, known := range []int{0, 1000} {
			wanted := state.Heads{Hook: 1, Rows: 16}
			if err := wanted.Upto.Scan("FFFFFFFF/FFFFFFFF"); err != nil {
				b.Fatal(err)
			}
			for n := range known {
				wanted.Known = append(wanted.Known, state.Task{Project: int64(n % 10), Task: int64(1 + n)})
			}
			b.Run(fmt.Sprintf("analyzed=%t/known=%d", analyzed, known), func(b *testing.B) {
				for b.Loop() {
					rows, err := store.Heads(b.Context(), wanted)
					if err != nil || len(rows) != wanted.Rows {
						b.Fatalf("%d rows, error %v", len(rows), err)
					}
				}
			})
		}
	}
}
