package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// system is what is measured.
type system string

const (
	null     system = "null"
	hooktail system = "hooktail"
)

// interleaved are the two, the other one first each time, so that neither has the
// warmer caches.
func interleaved(rep int) []system {
	if rep%2 == 0 {
		return []system{null, hooktail}
	}
	return []system{hooktail, null}
}

// stage is a database of Label Studio's for one scenario, set up for hooktail.
type stage struct {
	b      *bench
	name   string
	dsn    string
	conn   *pgx.Conn
	slots  int     // made so far
	broker *broker // of the logs; nil: there is none
	ids    int64
}

// firstID is where the ids of rows begin that a load makes.
const firstID = 10_000_000

// stage makes one with so many new tasks in project 1, and hooks at the receiver.
func (b *bench) stage(ctx context.Context, tasks, hooks int) (*stage, error) {
	b.stages++
	s := &stage{b: b, name: "bench" + strconv.Itoa(b.stages), ids: firstID}
	s.dsn = b.server.DSN(s.name)
	admin, err := pgx.Connect(ctx, b.server.DSN("postgres"))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer admin.Close(context.WithoutCancel(ctx))
	if _, err := admin.Exec(ctx, "CREATE DATABASE "+s.name+" TEMPLATE base"); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	if s.conn, err = pgx.Connect(ctx, s.dsn); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := s.exec(ctx, replica); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "DELETE FROM webhook_action; DELETE FROM webhook"); err != nil {
		return nil, err
	}
	if err := s.tasks(ctx, tasks); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "VACUUM ANALYZE"); err != nil {
		return nil, err
	}
	setup := exec.CommandContext(ctx, b.hooktail, "setup")
	setup.Env = s.environ(s.slotName())
	if out, err := setup.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("hooktail setup: %w: %s", err, out)
	}
	return s, s.hooks(ctx, hooks)
}

// exec runs statements without parameters.
func (s *stage) exec(ctx context.Context, sql string) error {
	if _, err := s.conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("run %.60q: %w", sql, err)
	}
	return nil
}

// close disconnects; the database goes with the server.
func (s *stage) close(ctx context.Context) { s.conn.Close(context.WithoutCancel(ctx)) }

func (s *stage) environ(slot string, more ...string) []string {
	env := []string{
		"HOOKTAIL_DATABASE_URL=" + s.dsn, "HOOKTAIL_SLOT=" + slot, "HOOKTAIL_HTTP_ADDR=127.0.0.1:0",
		"HOOKTAIL_SETTLE=0", "HOOKTAIL_LOG_LEVEL=warn",
	}
	return append(append(env, more...), s.b.o.env...)
}

// slotName is the first slot's, which setup makes.
func (s *stage) slotName() string { return s.name + "_0" }

// slot makes another slot: what is committed from now on comes through it.
func (s *stage) slot(ctx context.Context) (string, error) {
	s.slots++
	name := s.name + "_" + strconv.Itoa(s.slots)
	_, err := s.conn.Exec(ctx, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
	if err != nil {
		return "", fmt.Errorf("make slot: %w", err)
	}
	return name, nil
}

// drop removes a slot that is not used any more, as soon as nobody reads it.
func (s *stage) drop(ctx context.Context, slot string) error {
	return s.exec(ctx, fmt.Sprintf(`DO $$ BEGIN
		FOR i IN 1..1000 LOOP
			EXIT WHEN NOT (SELECT active FROM pg_replication_slots WHERE slot_name = '%[1]s');
			PERFORM pg_sleep(0.01);
		END LOOP;
		PERFORM pg_drop_replication_slot('%[1]s');
	END $$`, slot))
}

// hooks makes n hooks for all actions, at the receiver's /1 to /n.
func (s *stage) hooks(ctx context.Context, n int) error {
	for i := range n {
		if err := s.hook(ctx, i+1, s.b.receiver.url(i+1), 1); err != nil {
			return err
		}
	}
	return nil
}

// hook makes one, for all projects of an organization.
func (s *stage) hook(ctx context.Context, id int, url string, organization int) error {
	_, err := s.conn.Exec(ctx, `INSERT INTO webhook (id, url, send_payload, send_for_all_actions, headers, is_active,
		created_at, updated_at, organization_id) VALUES ($1, $2, true, true, '{}', true, now(), now(), $3)`, id, url, organization)
	if err != nil {
		return fmt.Errorf("make hook: %w", err)
	}
	return nil
}

// start runs the system on the slot. The null pipeline posts to as many hooks.
func (s *stage) start(of system, slot string, hooks int, env ...string) (*program, error) {
	if of == null {
		args := []string{nullCommand, s.dsn, slot}
		for i := range hooks {
			args = append(args, s.b.receiver.url(i+1))
		}
		return launch(nil, s.b.self, args...)
	}
	if s.b.o.profile != "" {
		dir, err := filepath.Abs(s.b.o.profile)
		if err != nil {
			return nil, fmt.Errorf("find folder: %w", err)
		}
		env = append(env, "PROFILE="+dir)
	}
	return launch(s.environ(slot, env...), s.b.hooktail)
}

// end stops the program; the null pipeline has nothing to finish.
func (s *stage) end(of system, p *program) {
	if of == null {
		p.stop(syscall.SIGKILL)
	} else {
		p.stop(syscall.SIGINT)
	}
}
