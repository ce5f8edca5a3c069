package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// system is a measured system.
type system string

const (
	null     system = "null"
	reader   system = "reader" // the null pipeline without posting
	hooktail system = "hooktail"
)

// plan is what a scenario's measurements need, and how often they are repeated.
type plan struct {
	reps, tasks, hooks int       // the hooks are for all actions, at the receiver's /1, /2 and so on
	recorded           bool      // the hooks of the base data remain
	log                bool      // there is a server of logs
	variants           []variant // a stage for each; nil: a single one
}

// variant is a stage's name in the results, and what is done to its database.
type variant struct{ name, sql string }

// repeat makes the stages of the plan and measures on each of them, in turns.
func (b *bench) repeat(ctx context.Context, p plan, measure func(s *stage, rep int) error) error {
	var stages []*stage
	if p.variants == nil {
		p.variants = []variant{{}}
	}
	for _, v := range p.variants {
		s, err := b.stage(ctx, p, v)
		if err != nil {
			return err
		}
		defer s.close(ctx)
		if p.log {
			if err := s.startBroker(ctx); err != nil {
				return err
			}
		}
		stages = append(stages, s)
	}
	for rep := range p.reps {
		for _, s := range rotated(rep, stages...) {
			if err := measure(s, rep); err != nil {
				return err
			}
		}
	}
	return nil
}

// rotated returns them beginning with another one in each repetition, so that none always
// has the warmer caches.
func rotated[T any](rep int, all ...T) []T {
	first := rep % len(all)
	return slices.Concat(all[first:], all[:first])
}

// stage is a Label Studio database for one scenario, set up for hooktail.
type stage struct {
	b       *bench
	variant string // name
	name    string // of the database
	dsn     string
	conn    *pgx.Conn
	hooks   int   // the plan's
	slots   int   // made so far
	ids     int64 // the next annotation's

	broker  *program // NATS server of the logs; nil: there is none
	natsURL string
}

// firstID is the lowest id of rows that a load makes.
const firstID = 10_000_000

// stage creates a database with the plan's tasks in project 1 and its hooks.
func (b *bench) stage(ctx context.Context, p plan, v variant) (*stage, error) {
	b.stages++
	s := &stage{b: b, variant: v.name, hooks: p.hooks, name: "bench" + strconv.Itoa(b.stages), ids: firstID}
	s.dsn = b.server.DSN(s.name)
	if _, err := b.admin.Exec(ctx, "CREATE DATABASE "+s.name+" TEMPLATE base"); err != nil {
		return nil, fmt.Errorf("create database: %w", err)
	}
	var err error
	if s.conn, err = pgx.Connect(ctx, s.dsn); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	begin := replica
	if !p.recorded {
		begin += "; DELETE FROM webhook_action; DELETE FROM webhook"
	}
	for _, sql := range []string{begin, tasksSQL(p.tasks), "VACUUM ANALYZE"} {
		if err := s.exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	if err := s.command(ctx, s.environ(s.name+"_0"), "setup"); err != nil {
		return nil, err
	}
	return s, s.exec(ctx, hooksAt(b.receiver.address(), 1, p.hooks, forAll)+";"+v.sql)
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

// forAll has a hook get all events of its organization.
const forAll = "true, true, NULL"

// hooksAt returns the SQL that creates the hooks from first to last at an address. wants is
// SQL for hook i: whether it is for all actions, else only for the creation of projects;
// whether it is active; and its project.
func hooksAt(address string, first, last int, wants string) string {
	return fmt.Sprintf(`INSERT INTO webhook (id, url, send_payload, headers, created_at, updated_at, organization_id, send_for_all_actions, is_active, project_id)
			SELECT i, 'http://%s/' || i, true, '{}', now(), now(), 1, %s FROM generate_series(%[3]d, %[4]d) i;
		INSERT INTO webhook_action (action, webhook_id)
			SELECT 'PROJECT_CREATED', id FROM webhook WHERE NOT send_for_all_actions AND id BETWEEN %[3]d AND %[4]d`,
		address, wants, first, last)
}

// start starts the system on its slot.
func (s *stage) start(d drained) (*program, error) {
	var args, env []string
	name := s.b.hooktail
	if d.of != hooktail {
		name, args = s.b.self, []string{nullCommand, s.dsn, d.slot}
		for i := range s.hooks {
			if d.of == null {
				args = append(args, s.b.receiver.url(i+1))
			}
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
