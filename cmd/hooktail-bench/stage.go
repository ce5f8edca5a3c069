package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// system is a measured system.
type system string

const (
	null     system = "null"
	hooktail system = "hooktail"
)

// interleaved returns both systems, in alternating order, so that neither always has the
// warmer caches.
func interleaved(rep int) []system {
	if rep%2 == 0 {
		return []system{null, hooktail}
	}
	return []system{hooktail, null}
}

// stage is a Label Studio database for one scenario, set up for hooktail.
type stage struct {
	b     *bench
	name  string
	dsn   string
	conn  *pgx.Conn
	slots int // made so far
	ids   int64

	broker  *program // NATS server of the logs; nil: there is none
	natsURL string
}

// firstID is the lowest id of rows that a load makes.
const firstID = 10_000_000

// stage creates a database with that many tasks in project 1 and that many hooks at the
// receiver.
func (b *bench) stage(ctx context.Context, tasks, hooks int) (*stage, error) {
	b.stages++
	s := &stage{b: b, name: "bench" + strconv.Itoa(b.stages), ids: firstID}
	s.dsn = b.server.DSN(s.name)
	if _, err := b.admin.Exec(ctx, "CREATE DATABASE "+s.name+" TEMPLATE base"); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	var err error
	if s.conn, err = pgx.Connect(ctx, s.dsn); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := s.exec(ctx, replica+"; DELETE FROM webhook_action; DELETE FROM webhook"); err != nil {
		return nil, err
	}
	if err := s.tasks(ctx, tasks); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, "VACUUM ANALYZE"); err != nil {
		return nil, err
	}
	if err := s.command(ctx, s.environ(s.slotName()), "setup"); err != nil {
		return nil, err
	}
	return s, s.hooks(ctx, hooks)
}

// command runs a command of hooktail to its end.
func (s *stage) command(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, s.b.hooktail, args...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("hooktail %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// exec runs statements without parameters.
func (s *stage) exec(ctx context.Context, sql string) error {
	if _, err := s.conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("run %.60q: %w", sql, err)
	}
	return nil
}

// close disconnects and ends the broker; the database is removed with the server.
func (s *stage) close(ctx context.Context) {
	s.conn.Close(context.WithoutCancel(ctx))
	if s.broker != nil {
		s.broker.stop(syscall.SIGKILL)
	}
}

func (s *stage) environ(slot string, more ...string) []string {
	env := []string{
		"HOOKTAIL_DATABASE_URL=" + s.dsn, "HOOKTAIL_SLOT=" + slot, "HOOKTAIL_HTTP_ADDR=127.0.0.1:0",
		"HOOKTAIL_SETTLE=0", "HOOKTAIL_LOG_LEVEL=warn",
	}
	return append(append(env, more...), s.b.o.env...)
}

// slotName returns the name of the slot that setup creates.
func (s *stage) slotName() string { return s.name + "_0" }

// slot creates another slot, which has the changes committed from now on.
func (s *stage) slot(ctx context.Context) (string, error) {
	s.slots++
	name := s.name + "_" + strconv.Itoa(s.slots)
	_, err := s.conn.Exec(ctx, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
	if err != nil {
		return "", fmt.Errorf("make slot: %w", err)
	}
	return name, nil
}

// hooks creates n hooks for all actions, at the receiver's /1 to /n.
func (s *stage) hooks(ctx context.Context, n int) error {
	for i := range n {
		if err := s.hook(ctx, i+1, s.b.receiver.url(i+1), 1); err != nil {
			return err
		}
	}
	return nil
}

// hook creates a hook for all projects of an organization.
func (s *stage) hook(ctx context.Context, id int, url string, organization int) error {
	_, err := s.conn.Exec(ctx, `INSERT INTO webhook (id, url, send_payload, send_for_all_actions, headers, is_active,
		created_at, updated_at, organization_id) VALUES ($1, $2, true, true, '{}', true, now(), now(), $3)`, id, url, organization)
	if err != nil {
		return fmt.Errorf("make hook: %w", err)
	}
	return nil
}

// start starts the system on its slot.
func (s *stage) start(d drained) (*program, error) {
	var args, env []string
	name := s.b.hooktail
	if d.of == null {
		name, args = s.b.self, []string{nullCommand, s.dsn, d.slot}
		for i := range d.hooks {
			args = append(args, s.b.receiver.url(i+1))
		}
	} else {
		env = s.environ(d.slot, d.env...)
		if s.b.o.profile != "" {
			dir, err := filepath.Abs(s.b.o.profile)
			if err != nil {
				return nil, fmt.Errorf("find folder: %w", err)
			}
			env = append(env, "PROFILE="+dir)
		}
	}
	cmd := exec.Command(name, args...) //nolint:noctx // it runs until stop
	cmd.Env = append(env, "HOME="+os.Getenv("HOME"))
	p, err := start(cmd)
	if err != nil {
		return nil, err
	}
	p.slot = d.slot
	return p, nil
}

// finish ends the program, removes its slot as soon as that is not in use, and records the sample.
func (s *stage) finish(ctx context.Context, p *program, out sample) error {
	p.end()
	if err := s.exec(ctx, fmt.Sprintf(`DO $$ BEGIN
		FOR i IN 1..1000 LOOP
			EXIT WHEN NOT (SELECT active FROM pg_replication_slots WHERE slot_name = '%[1]s');
			PERFORM pg_sleep(0.01);
		END LOOP;
		PERFORM pg_drop_replication_slot('%[1]s');
	END $$`, p.slot)); err != nil {
		return err
	}
	return s.b.record(out)
}
