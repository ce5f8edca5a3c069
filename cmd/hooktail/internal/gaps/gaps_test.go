package gaps

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

const exitGap = 3

// scene is a database with one hook for everything, and who breaks it.
type scene struct {
	t        *testing.T
	db       *cdctest.Database
	server   *cdctest.Server
	receiver *dispatchtest.Server
}

// fault is a way to lose changes.
type fault struct {
	name    string
	running bool // it happens while hooktail runs
	killed  bool // hooktail did not end in order before
	server  *throwaway.Options
	since   int    // major version of PostgreSQL
	before  string // SQL before setup
	change  func(s *scene)
	after   func(s *scene) // the annotation that is missed
	why     string
	kept    bool // the slot is good: the stream goes on with it
}

// TestNoGapIsSilent: whoever takes the slot, the publication or the database from
// under hooktail, while it runs or while it is stopped, is found out: delivery ends
// with exit code 3, what is missing and the command that mends it, and does not begin
// again before that was run.
func TestNoGapIsSilent(t *testing.T) {
	t.Parallel()
	notSilent(t, []fault{
		{name: "slot dropped under it", running: true, change: (*scene).dropSlot, why: "the slot was dropped"},
		{
			// PostgreSQL 14 tells what it has decoded up to half a second late: too late for this kill.
			name: "slot made anew after kill -9", killed: true, kept: true, since: 15,
			change: func(s *scene) { s.dropSlot(); s.annotate(); s.createSlot() },
			why:    "the slot was moved or recreated by another program",
		},
		{
			name: "slot advanced", kept: true,
			change: func(s *scene) { s.annotate(); s.advanceSlot() },
			why:    "the slot was moved or recreated by another program",
		},
		{
			name:   "more WAL than max_slot_wal_keep_size",
			server: &throwaway.Options{Settings: map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}},
			change: (*scene).loseSlot, why: "the slot is lost",
		},
		{
			name: "another server", kept: true,
			change: func(s *scene) { s.db.Exec(t, "UPDATE hooktail.position SET system_id = '1'"); s.annotate() },
			why:    "this is another server",
		},
		{name: "publication dropped", change: (*scene).dropPublication, why: "the publication was dropped"},
		{
			name: "publication made anew",
			change: func(s *scene) {
				s.dropPublication()
				s.db.Exec(t, "CREATE PUBLICATION hooktail FOR TABLE project, task, task_completion, webhook, webhook_action, hooktail.hook_setting")
			},
			why: "the publication was dropped and recreated",
		},
		{
			name: "table taken out and put back under it", running: true, kept: true,
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail DROP TABLE task_completion") },
			after:  func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail ADD TABLE task_completion") },
			why:    `table public\.task_completion was removed from the publication and added again`,
		},
		{
			name: "operation not published for a moment", kept: true,
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish = 'update, delete, truncate')") },
			after: func(s *scene) {
				s.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish = 'insert, update, delete, truncate')")
			},
			why: "the publication was altered and changed back",
		},
		{
			name: "row filter", kept: true, since: 15,
			change: func(s *scene) {
				s.db.Exec(t, "ALTER PUBLICATION hooktail DROP TABLE task_completion")
				s.db.Exec(t, "ALTER PUBLICATION hooktail ADD TABLE task_completion WHERE (was_cancelled)")
			},
			why: `table public\.task_completion got a row filter or a column list in the publication`,
		},
	})
}

func notSilent(t *testing.T, faults []fault) {
	t.Helper()
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := cdctest.Since(t, tt.since)
			if tt.server != nil {
				server = cdctest.Private(t, *tt.server)
			}
			s := newScene(t, server)
			if tt.before != "" {
				s.db.Exec(t, tt.before)
			}
			p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
			s.delivered(s.annotate())
			proctest.Confirmed(t, s.db)
			switch {
			case tt.killed:
				s.stop(p)
				p = proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0") // which notes at once what was decoded before
				s.delivered(s.annotate())
				p.Kill()
			case !tt.running:
				s.stop(p)
			}
			inner := *s
			inner.t = t
			tt.change(&inner)
			missed := s.annotate()
			if tt.after != nil {
				tt.after(&inner)
			}
			if !tt.running {
				p = proctest.Start(t, proctest.RoleEnviron(s.db), "run")
			}
			s.refuses(p, tt.why)
			s.refuses(proctest.Start(t, proctest.RoleEnviron(s.db), "run"), tt.why) // also the next time
			// As the owner of the tables, as setup has to be run.
			s.refuses(proctest.Start(t, proctest.Environ(s.db), "setup"), tt.why)

			s.mend(tt.kept)
			p = proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
			if origin := s.delivered(missed).Header.Get("hooktail-origin"); origin != "repair" {
				t.Errorf("hooktail-origin of what was missed: %q, want repair", origin)
			}
			after := s.delivered(s.annotate())
			if origin := after.Header.Get("hooktail-origin"); origin != "" {
				t.Errorf("hooktail-origin of what came after: %q, want none", origin)
			}
			s.stop(p)
		})
	}
}

func newScene(t *testing.T, server *cdctest.Server) *scene {
	t.Helper()
	s := &scene{t: t, server: server, db: server.LabelStudio(t), receiver: dispatchtest.Receiver(t)}
	s.db.Exec(t, "UPDATE webhook SET is_active = id = 1, project_id = NULL, url = $1 || '/h'", s.receiver.URL)
	return s
}

// annotate makes an annotation and returns its id.
func (s *scene) annotate() string {
	s.t.Helper()
	return s.db.QueryText(s.t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT '[]', id, project_id, 1, 1, false, false, now(), now(), '{}', 0, false FROM task WHERE id = 7 RETURNING id`)
}

// delivered waits until the annotation's creation has arrived.
func (s *scene) delivered(annotation string) dispatchtest.Request {
	s.t.Helper()
	is := regexp.MustCompile(`^{"action": "ANNOTATION_CREATED", "annotation": {"id": ` + annotation + `,`)
	var found dispatchtest.Request
	s.receiver.WaitFor(s.t, "/h", "annotation "+annotation, func(all []dispatchtest.Request) bool {
		for _, request := range all {
			if is.Match(request.Body) {
				found = request
				return true
			}
		}
		return false
	})
	return found
}

// stop lets the program end in order.
func (s *scene) stop(p *proctest.Program) {
	s.t.Helper()
	p.Stop()
	if code := p.Wait(s.t); code != 0 {
		s.t.Fatalf("exit code %d:\n%s", code, p.Stderr)
	}
}

// refuses asserts that the program ends with the gap.
func (s *scene) refuses(p *proctest.Program, why string) {
	s.t.Helper()
	code := p.Wait(s.t)
	want := regexp.MustCompile(`gap in the stream of slot "` + s.db.Name + `": ` + why + ".*changes after [0-9A-F]+/[0-9A-F]+ .*are missing: run `hooktail repair`")
	if code != exitGap || !want.MatchString(p.Stderr.String()) {
		s.t.Fatalf("exit code %d, want %d and %s:\n%s", code, exitGap, want, p.Stderr)
	}
}

// mend looks at what repair would do, and has it done.
func (s *scene) mend(kept bool) {
	s.t.Helper()
	before := s.db.QueryText(s.t, "SELECT count(*) FROM hooktail.parked")
	dry := s.repair("--dry-run", "--resend")
	var facts struct{ Gap, Recreated bool }
	if err := json.Unmarshal([]byte(s.repair("--dry-run", "--resend", "--json")), &facts); err != nil || !facts.Gap || facts.Recreated == kept {
		s.t.Errorf("repair --json says %+v, want a gap and the slot made anew: %t (%v)", facts, !kept, err)
	}
	if remade := strings.Contains(dry, "would replace slot "+s.db.Name); remade == kept {
		s.t.Errorf("repair --dry-run says that the slot is made anew: %t, want %t:\n%s", remade, !kept, dry)
	}
	if after := s.db.QueryText(s.t, "SELECT count(*) FROM hooktail.parked"); after != before {
		s.t.Errorf("a dry run has parked deliveries: %s, before %s", after, before)
	}
	said := s.repair("--resend")
	for _, want := range []string{"are missing", "× ANNOTATION_CREATED", "unknown, and not sent", "hooktail run"} {
		if !strings.Contains(said, want) {
			s.t.Errorf("repair does not say %q:\n%s", want, said)
		}
	}
	if again := s.repair(); !strings.Contains(again, "there is no gap") {
		s.t.Errorf("the second repair says:\n%s", again)
	}
}

// repair runs as the owner of the tables, since it may have to make publication and
// slot anew.
func (s *scene) repair(args ...string) string {
	s.t.Helper()
	p := proctest.Start(s.t, proctest.Environ(s.db), append([]string{"repair"}, args...)...)
	if code := p.Wait(s.t); code != 0 {
		s.t.Fatalf("repair %v: exit code %d\n%s%s", args, code, p.Stdout, p.Stderr)
	}
	return p.Stdout.String()
}

func (s *scene) dropPublication() { s.db.Exec(s.t, "DROP PUBLICATION hooktail") }

func (s *scene) createSlot() {
	s.db.Exec(s.t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", s.db.Name)
}

// advanceSlot moves it to the end of the WAL, once the server has let go of it.
func (s *scene) advanceSlot() {
	s.t.Helper()
	conn := s.db.Connect(s.t)
	proctest.WaitFor(s.t, func() error {
		_, err := conn.Exec(context.Background(), "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())", s.db.Name)
		return err
	})
}

// dropSlot drops the slot as soon as nobody reads it, or reads it no more.
func (s *scene) dropSlot() {
	s.t.Helper()
	conn := s.db.Connect(s.t)
	ctx := context.Background()
	proctest.WaitFor(s.t, func() error {
		if _, err := conn.Exec(ctx, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", s.db.Name); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1", s.db.Name)
		return err
	})
}

// loseSlot writes more WAL than may be kept for the slot.
func (s *scene) loseSlot() {
	s.t.Helper()
	s.invalidate(func() { s.db.Exec(s.t, "SELECT pg_switch_wal()") })
}

// idleOut lets the slot be idle for longer than it may.
func (s *scene) idleOut() {
	s.t.Helper()
	s.invalidate(func() {})
}

// invalidate has checkpoints made, which look after the slots, until it is lost.
func (s *scene) invalidate(before func()) {
	s.t.Helper()
	proctest.WaitFor(s.t, func() error {
		s.annotate()
		before()
		s.db.Exec(s.t, "CHECKPOINT")
		if status := s.db.QueryText(s.t, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", s.db.Name); status != "lost" {
			return fmt.Errorf("the slot is %s", status)
		}
		return nil
	})
}
