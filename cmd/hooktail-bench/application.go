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
	noSlot        = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database();"
	outboxTable   = "CREATE TABLE outbox (id bigserial PRIMARY KEY, action text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());"
	plainIdentity = noSlot + "ALTER TABLE project REPLICA IDENTITY DEFAULT; ALTER TABLE task_completion REPLICA IDENTITY DEFAULT;"
)

// trigger returns SQL that has each change of an annotation or a task run a statement.
func trigger(statement string) string {
	return fmt.Sprintf(`
		CREATE FUNCTION on_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			%s;
			RETURN NULL;
		END $$;
		CREATE TRIGGER on_change AFTER INSERT OR UPDATE ON task_completion FOR EACH ROW EXECUTE FUNCTION on_change();
		CREATE TRIGGER on_change AFTER INSERT OR UPDATE ON task FOR EACH ROW EXECUTE FUNCTION on_change()`, statement)
}

// ways returns the ways to get changes out of the application's database.
func ways() []variant {
	return []variant{
		{name: "nothing", sql: plainIdentity},
		{name: string(null), sql: noSlot},
		{name: string(hooktail), sql: noSlot},
		{name: "outbox", sql: plainIdentity + outboxTable + trigger(
			"INSERT INTO outbox (action, payload) VALUES (TG_OP || ' ' || TG_TABLE_NAME, to_jsonb(NEW))")},
		{name: "notify", sql: plainIdentity + trigger(
			"PERFORM pg_notify('changes', json_build_object('action', TG_OP || ' ' || TG_TABLE_NAME, 'id', NEW.id)::text)")},
	}
}

// application measures what saving an annotation costs Label Studio: with nothing else
// running, with the null pipeline, with hooktail, with a trigger that fills an outbox, and
// with a trigger that notifies. Nothing reads the outbox or the notifications; readers
// would add to the cost. It then repeats the measurement with one core for the database
// and the application, and the other for hooktail and the receiver. There it also measures
// the null pipeline without posting: what decoding costs, whatever becomes of the changes.
func application(ctx context.Context, b *bench) error {
	if err := b.applications(ctx, "application", ways()); err != nil {
		return err
	}
	undo, err := b.pin(ctx)
	if err != nil {
		return err
	}
	pinned := append(ways()[:3], variant{name: string(reader), sql: noSlot})
	return errors.Join(b.applications(ctx, "pinned", pinned), undo())
}

func (b *bench) applications(ctx context.Context, scenario string, ways []variant) error {
	const n = 300 // short, so that what is compared is measured at nearly the same time
	return b.repeat(ctx, plan{reps: b.reps(6, 1), tasks: n, hooks: 1, variants: ways}, func(s *stage, rep int) error {
		return s.saves(ctx, scenario, rep, n)
	})
}

// saves records the duration of the transactions that save an annotation, while the system
// runs that the variant names, if any.
func (s *stage) saves(ctx context.Context, scenario string, rep, n int) error {
	of := system(s.variant)
	out := newSample(scenario, of, "", rep)
	save := func(first int64) error {
		took, err := s.saveApart(ctx, first, n)
		if err == nil {
			out.percentiles(took, 50, 99)
		}
		return err
	}
	switch of {
	case null, hooktail:
	case reader:
		return s.savesRead(ctx, out, n, save)
	default:
		if err := save(s.annotations(n)); err != nil {
			return err
		}
		return s.b.record(out)
	}
	p, err := s.warm(ctx, drained{of: of, env: []string{settling}})
	if err != nil {
		return err
	}
	defer p.end()
	t := s.expect(n)
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

// savesRead records the same beside the null pipeline without posting.
func (s *stage) savesRead(ctx context.Context, out sample, n int, save func(first int64) error) error {
	d := drained{of: reader}
	if err := s.open(ctx, &d); err != nil {
		return err
	}
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	const reading = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND active"
	if _, err := p.until(ctx, s.conn, 10*time.Millisecond, 1, reading, d.slot); err != nil {
		return err
	}
	if err := s.metered(ctx, p, out, n, func() error { return save(s.annotations(n)) }); err != nil {
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
	if err := json.Unmarshal(out, &took); err != nil {
		return nil, fmt.Errorf("save annotations: %w", err)
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
