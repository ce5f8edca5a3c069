package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// replica turns off the checks of foreign keys, which are most of the cost of an insert,
// so that the load takes little of the machine.
const replica = "SET session_replication_role = replica"

// The columns of rows as Label Studio writes them: a text of some 200 characters,
// and a choice with one region.
const (
	taskColumns = `INSERT INTO task (id, data, meta, created_at, updated_at, is_labeled, project_id, overlap,
		total_annotations, cancelled_annotations, total_predictions, comment_count, unresolved_comment_count, inner_id)`
	taskValues = `'{"text": "Ada Lovelace wrote the first program for a machine that was never built, in notes that were longer than the paper that she translated, and signed them with her initials alone.", "n": 7}'::jsonb,
		'{}'::jsonb, now(), now(), false, 1, 1, 0, 0, 0, 0, 0`
	annotationColumns = `INSERT INTO task_completion (id, result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, lead_time, prediction, result_count, bulk_created, unique_id)`
	annotationResult = `'[{"id": "c1", "from_name": "sentiment", "to_name": "text", "type": "choices", "value": {"choices": ["Positive"]}}, {"id": "n1", "from_name": "label", "to_name": "text", "type": "labels", "value": {"start": 13, "end": 16, "text": "Ada", "labels": ["PER"]}}]'::jsonb`
	annotationRest   = `1, 1, 1, false, false, now(), now(), 12.345, '{}'::jsonb, 2, false, gen_random_uuid()`
)

// tasksSQL inserts n tasks, in one transaction.
func tasksSQL(n int) string {
	return fmt.Sprintf(`%s SELECT %d + i, %s, i FROM generate_series(0, %d) i`, taskColumns, firstID, taskValues, n-1)
}

// annotations reserves the ids of n annotations and returns the first.
func (s *stage) annotations(n int) (first int64) {
	first = s.ids
	s.ids += int64(n)
	return first
}

// expect reserves the ids of n annotations, and counts their arrivals at the stage's hooks.
func (s *stage) expect(n int) *tally {
	return s.b.receiver.expect(s.hooks, s.annotations(n), n)
}

// annotate makes n annotations, each of another task, in a transaction each, as
// fast as the server can.
func (s *stage) annotate(ctx context.Context, first int64, n int) error {
	return s.exec(ctx, fmt.Sprintf(`DO $$ BEGIN
			FOR i IN 0..%d LOOP
				%s VALUES (%d + i, %s, %d + i, %s);
				COMMIT;
			END LOOP;
		END $$`, n-1, annotationColumns, first, annotationResult, firstID, annotationRest))
}

// unread makes the slot, and n annotations that come through it. It returns the id of the
// first.
func (s *stage) unread(ctx context.Context, d *drained, n int) (first int64, err error) {
	if err := s.open(ctx, d); err != nil {
		return 0, err
	}
	first = s.annotations(n)
	return first, s.annotate(ctx, first, n)
}

// trickle makes n annotations at that rate and returns when each began to commit.
func (s *stage) trickle(ctx context.Context, first int64, n, rate int) ([]time.Time, error) {
	insert := fmt.Sprintf("%s VALUES ($1, %s, $2, %s)", annotationColumns, annotationResult, annotationRest)
	committed := make([]time.Time, 0, n)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		err := pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, insert, first+int64(i), firstID+i)
			committed = append(committed, time.Now())
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("annotate: %w", err)
		}
	}
	return committed, nil
}
