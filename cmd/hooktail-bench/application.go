package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// The ways in which an application's changes get out.
const (
	outboxTrigger = `
		CREATE TABLE outbox (id bigserial PRIMARY KEY, action text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
		CREATE FUNCTION to_outbox() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			INSERT INTO outbox (action, payload) VALUES (TG_OP || ' ' || TG_TABLE_NAME, to_jsonb(NEW));
			RETURN NULL;
		END $$;
		CREATE TRIGGER to_outbox AFTER INSERT OR UPDATE ON task_completion FOR EACH ROW EXECUTE FUNCTION to_outbox();
		CREATE TRIGGER to_outbox AFTER INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION to_outbox()`
	notifyTrigger = `
		CREATE FUNCTION to_listeners() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			PERFORM pg_notify('changes', json_build_object('action', TG_OP || ' ' || TG_TABLE_NAME, 'id', NEW.id)::text);
			RETURN NULL;
		END $$;
		CREATE TRIGGER to_listeners AFTER INSERT OR UPDATE ON task_completion FOR EACH ROW EXECUTE FUNCTION to_listeners();
		CREATE TRIGGER to_listeners AFTER INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION to_listeners()`
	plainIdentity = "ALTER TABLE project REPLICA IDENTITY DEFAULT; ALTER TABLE task_completion REPLICA IDENTITY DEFAULT"
)

// application is what saving an annotation costs Label Studio: with nothing, with
// hooktail at work, with an outbox that a trigger fills, with a trigger that
// notifies. Nobody empties the outbox, and nobody listens: their readers would come
// on top.
func application(ctx context.Context, b *bench) error {
	n := b.size(1000, 500)
	ways := []struct{ name, sql string }{
		{"nothing", plainIdentity}, {"hooktail", ""}, {"outbox", plainIdentity + ";" + outboxTrigger}, {"notify", plainIdentity + ";" + notifyTrigger},
	}
	stages := make([]*stage, len(ways))
	for i, way := range ways {
		s, err := b.stage(ctx, n, 1)
		if err != nil {
			return err
		}
		defer s.close(ctx)
		if err := s.exec(ctx, "SELECT pg_drop_replication_slot('"+s.slotName()+"');"+way.sql); err != nil {
			return err
		}
		stages[i] = s
	}
	for rep := range b.reps(4, 1) {
		for i := range ways {
			at := (i + rep) % len(ways)
			if err := stages[at].saves(ctx, ways[at].name, rep, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// users are those who save annotations: how many at a time, how many annotations a second,
// and how long the application takes between the transactions of one.
type users struct {
	sessions, rate int
	pause          time.Duration
}

// savers is how many sessions save annotations, and saveRate how many annotations a
// second they save together.
const (
	savers   = 4
	saveRate = 150
)

// saves records how long the transactions of saving an annotation take.
func (s *stage) saves(ctx context.Context, way string, rep, n int) error {
	first := s.annotations(n)
	t := s.b.receiver.expect(1, first, n)
	out := newSample("application", "", way, rep)
	var p *program
	if way == string(hooktail) {
		slot, err := s.slot(ctx)
		if err != nil {
			return err
		}
		if p, err = s.warm(ctx, hooktail, slot); err != nil {
			return err
		}
		defer func() {
			s.end(hooktail, p)
			_ = s.drop(ctx, slot) // the next one would say so
		}()
		t = s.b.receiver.expect(1, first, n)
	}
	took, err := s.save(ctx, first, n, users{savers, saveRate, 0})
	if err != nil {
		return err
	}
	if p != nil {
		if err := p.await(ctx, t.done, t); err != nil {
			return err
		}
	}
	slices.Sort(took)
	out.set("p50_ms", milliseconds(took[len(took)/2]))
	out.set("p99_ms", milliseconds(took[len(took)*99/100]))
	return s.b.record(out, nil)
}

// save saves n annotations in several sessions and returns how long each took.
func (s *stage) save(ctx context.Context, first int64, n int, by users) ([]time.Duration, error) {
	ids := make(chan int)
	var mu sync.Mutex
	var took []time.Duration
	var fault error
	var wg sync.WaitGroup
	for range by.sessions {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		defer conn.Close(context.WithoutCancel(ctx))
		wg.Go(func() {
			for i := range ids {
				d, err := saveOne(ctx, conn, first+int64(i), firstID+i, by.pause)
				mu.Lock()
				took = append(took, d)
				if err != nil {
					fault = err
				}
				mu.Unlock()
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
	return took, fault
}

// saveOne is what Label Studio 1.23 does: the annotation in one transaction, and its
// task's columns in two more.
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
		if pause > 0 && i < 2 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
	}
	return time.Since(began), nil
}
