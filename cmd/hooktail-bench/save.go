package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// users are the people who save annotations: the number of sessions, annotations per
// second, and the application's pause between the transactions of one annotation.
type users struct {
	sessions, rate int
	pause          time.Duration
}

// save saves n annotations in several sessions and returns how long each took.
func save(ctx context.Context, dsn string, first int64, n int, by users) ([]time.Duration, error) {
	ids := make(chan int)
	took := make([]time.Duration, n)
	faults := make([]error, n)
	var wg sync.WaitGroup
	for range by.sessions {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		wg.Go(func() {
			for i := range ids {
				took[i], faults[i] = saveOne(ctx, conn, first+int64(i), firstID+i, by.pause)
			}
		})
	}
	tick := time.NewTicker(time.Second / time.Duration(by.rate))
	defer tick.Stop()
	for i := range n {
		select {
		case <-tick.C:
			ids <- i
		case <-ctx.Done():
		}
	}
	close(ids)
	wg.Wait()
	return took, cmp.Or(append(faults, ctx.Err())...)
}

// saveOne saves an annotation as Label Studio 1.23 does: the annotation in one
// transaction, its task's columns in two more.
func saveOne(ctx context.Context, conn *pgx.Conn, id int64, task int, pause time.Duration) (time.Duration, error) {
	insert := fmt.Sprintf("%s VALUES ($1, %s, $2, %s)", annotationColumns, annotationResult, annotationRest)
	began := time.Now()
	for i, statement := range []struct {
		sql  string
		args []any
	}{
		{insert, []any{id, task}},
		{"UPDATE task SET is_labeled = true, total_annotations = total_annotations + 1, cancelled_annotations = 0 WHERE id = $1", []any{task}},
		{"UPDATE task SET updated_at = now(), updated_by_id = 1 WHERE id = $1", []any{task}},
	} {
		if _, err := conn.Exec(ctx, statement.sql, statement.args...); err != nil {
			return 0, fmt.Errorf("save annotation: %w", err)
		}
		if i < 2 {
			if err := wait(ctx, pause); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(began), nil
}
