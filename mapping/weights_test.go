package mapping

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// asked counts the round trips to a database.
type asked struct {
	Database
	times int
}

func (a *asked) AcquireFunc(ctx context.Context, f func(*pgxpool.Conn) error) error {
	a.times++
	return a.Database.AcquireFunc(ctx, f)
}

// Large rows are read few at a time, one that is larger than the bound alone, and the
// payloads are those of an unbounded batch. Rows that were read for nothing are not read
// again and again: what was seen of them decides where the next batches end.
func TestBatchIsCutByBytes(t *testing.T) {
	const bound = 300_000
	s := newSlot(t, "FULL")
	// 20 tasks of 64 bytes, 20 of 64 KB, and among these one of 640 KB.
	s.db.Exec(t, `SET session_replication_role = replica;
		INSERT INTO task (id, data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations,
			cancelled_annotations, total_predictions, comment_count, unresolved_comment_count)
		SELECT 1000 + i, jsonb_build_object('text', (SELECT string_agg(md5(i::text || n), '')
			FROM generate_series(1, CASE WHEN i <= 20 THEN 2 WHEN i = 30 THEN 20000 ELSE 2000 END) n)),
			now(), now(), false, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, 40) i`)
	s.parts(t)
	s.db.Exec(t, `SET session_replication_role = replica;
		INSERT INTO task_completion (id, result, task_id, project_id, was_cancelled, ground_truth, created_at, updated_at, result_count, bulk_created)
		SELECT id, '[]', id, 1, false, false, now(), now(), 0, false FROM task WHERE id > 1000`)
	changes := s.parts(t)
	whole := mapAll(t, NewMapper(Options{}), changes)
	if err := NewRenderer(s.pool, Options{}).Render(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	db := &asked{Database: s.pool}
	renderer := NewRenderer(db, Options{BatchBytes: bound})
	events := mapAll(t, NewMapper(Options{}), changes)
	steps := 0
	for left := events; len(left) > 0; steps++ {
		n, err := renderer.RenderFirst(context.Background(), left)
		if err != nil || n == 0 {
			t.Fatalf("%d rendered, error %v", n, err)
		}
		bytes := 0
		for _, e := range left[:n] {
			bytes += len(e.Payload)
		}
		if n > 1 && bytes > 2*bound {
			t.Errorf("%d events with payloads of %d bytes in one step, with a bound of %d", n, bytes, bound)
		}
		left = left[n:]
	}
	if steps < 4 || db.times > steps+2 {
		t.Errorf("%d round trips in %d steps", db.times, steps)
	}
	for i, e := range events {
		if string(e.Payload) != string(whole[i].Payload) {
			t.Errorf("event %d: payload differs from that of an unbounded batch", i)
		}
	}
}
