package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

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

// way is a way to get changes out of the application's database.
type way struct {
	name   string
	of     system // that runs meanwhile; "": none
	tables string // SQL that prepares the tables; "": as hooktail setup leaves them
}

func ways() []way {
	return []way{
		{name: "nothing", tables: plainIdentity},
		{name: "null", of: null},
		{name: "hooktail", of: hooktail},
		{name: "outbox", tables: plainIdentity + ";" + outboxTrigger},
		{name: "notify", tables: plainIdentity + ";" + notifyTrigger},
	}
}

// application measures what saving an annotation costs Label Studio: with nothing else
// running, with the null pipeline, with hooktail, with a trigger that fills an outbox, and
// with a trigger that notifies. Nothing reads the outbox or the notifications; readers
// would add to the cost. It then repeats the measurement with one core for the database
// and the application, and the other for hooktail and the receiver.
func application(ctx context.Context, b *bench) error {
	n := b.size(600, 300)
	if err := b.applications(ctx, "application", ways(), n); err != nil {
		return err
	}
	undo, err := b.pin(ctx)
	if err != nil {
		return err
	}
	return errors.Join(b.applications(ctx, "pinned", ways()[:3], n), undo())
}

func (b *bench) applications(ctx context.Context, scenario string, ways []way, n int) error {
	stages := make([]*stage, len(ways))
	for i, way := range ways {
		s, err := b.stage(ctx, n, 1)
		if err != nil {
			return err
		}
		defer s.close(ctx)
		if err := s.exec(ctx, "SELECT pg_drop_replication_slot('"+s.slotName()+"');"+way.tables); err != nil {
			return err
		}
		stages[i] = s
	}
	for rep := range b.reps(3, 1) {
		for i := range ways {
			at := (i + rep) % len(ways)
			if err := stages[at].saves(ctx, scenario, ways[at], rep, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// saves records the duration of the transactions that save an annotation.
func (s *stage) saves(ctx context.Context, scenario string, w way, rep, n int) error {
	out := newSample(scenario, "", w.name, rep)
	save := func(first int64) error {
		took, err := s.saveApart(ctx, first, n)
		if err == nil {
			out.percentiles(took, 50, 99)
		}
		return err
	}
	if w.of == "" {
		if err := save(s.annotations(n)); err != nil {
			return err
		}
		return s.b.record(out)
	}
	p, err := s.warm(ctx, drained{of: w.of, hooks: 1, env: []string{settling}})
	if err != nil {
		return err
	}
	defer p.end()
	t := s.expect(1, n)
	if err := s.metered(ctx, p, out, n, func() error {
		if err := save(t.first); err != nil {
			return err
		}
		return p.await(ctx, t.done, t)
	}); err != nil {
		return err
	}
	return s.finish(ctx, p, out)
}

// saveCommand is the argument with which this program only saves annotations: a process
// of its own can be pinned to a core.
const saveCommand = "save"

// saveApart saves n annotations in a separate process, since the application is not the
// receiver.
func (s *stage) saveApart(ctx context.Context, first int64, n int) ([]time.Duration, error) {
	args := []string{saveCommand, s.dsn, strconv.FormatInt(first, 10), strconv.Itoa(n)}
	cmd := exec.CommandContext(ctx, s.b.self, args...)
	if s.b.databaseCore != "" {
		cmd = exec.CommandContext(ctx, "taskset", append([]string{"-c", s.b.databaseCore, s.b.self}, args...)...)
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("save annotations: %w", err)
	}
	var took []time.Duration
	if err := json.Unmarshal(out, &took); err != nil || len(took) != n {
		return nil, fmt.Errorf("save annotations: %d of %d were saved: %w", len(took), n, err)
	}
	return took, nil
}

// runSave is that process. Its arguments are the database's URL, the first annotation's
// id, and the number of annotations.
func runSave(ctx context.Context, args []string, stdout io.Writer) error {
	first, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	took, err := save(ctx, args[0], first, n, users{sessions: 4, rate: 150})
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(took)
}
