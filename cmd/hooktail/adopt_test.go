package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// must runs a command line that has to succeed and returns what it prints.
func must(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	code, stdout, stderr := command(environ, args...)
	if code != exitDone {
		t.Fatalf("hooktail %s: exit code %d:\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// TestAdoptLosesAndRepeatsNothing: whoever takes hooks over and gives them back
// while annotations are saved gets each of them from hooktail exactly once.
func TestAdoptLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	variables := []string{"HOOKTAIL_SETTLE=0"}
	start(t, db, variables...)
	var want []string
	save := func(n int) {
		for range n {
			want = append(want, db.QueryText(t, annotate, 7))
		}
	}
	for range 5 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			save(40)
		}()
		must(t, proctest.RoleEnviron(db, variables...), "hooks", "adopt", "1")
		if got := db.QueryText(t, "SELECT is_active FROM webhook WHERE id = 1"); got != "f" {
			t.Fatalf("is_active = %s after adopt", got)
		}
		must(t, proctest.RoleEnviron(db, variables...), "hooks", "release", "1")
		<-done
	}
	must(t, proctest.RoleEnviron(db, variables...), "hooks", "adopt", "1")
	save(5)
	delivered(t, db)
	if diff := cmp.Diff(want, annotationsOf(t, c.Take(), 1)); diff != "" {
		t.Errorf("annotations at hook 1 (-saved +got):\n%s", diff)
	}
	if got := db.QueryText(t, "SELECT is_active FROM webhook WHERE id = 1"); got != "f" {
		t.Errorf("is_active = %s of the hook that is adopted", got)
	}
}

// TestAdoptWhileStopped: what was committed while hooktail was down is delivered as
// the hooks were then, whatever has been said of them since.
func TestAdoptWhileStopped(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := start(t, db)
	want := []string{db.QueryText(t, annotate, 7)}
	delivered(t, db)
	p.end(t)
	want = append(want, db.QueryText(t, annotate, 7))
	must(t, proctest.RoleEnviron(db), "hooks", "adopt", "1")
	want = append(want, db.QueryText(t, annotate, 7))
	must(t, proctest.RoleEnviron(db), "hooks", "release", "1")
	want = append(want, db.QueryText(t, annotate, 7))
	start(t, db)
	delivered(t, db)
	if diff := cmp.Diff(want, annotationsOf(t, c.Take(), 1)); diff != "" {
		t.Errorf("annotations at hook 1 (-saved +got):\n%s", diff)
	}
}

// TestDeliver: which hooks are served.
func TestDeliver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		deliver string
		want    map[int64]int // annotations at hook 1, adopted, and at hook 2, active
	}{
		{"active", map[int64]int{1: 0, 2: 1}},
		{"adopted", map[int64]int{1: 1, 2: 0}},
		{"both", map[int64]int{1: 1, 2: 1}},
	} {
		t.Run(tt.deliver, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			setUpOnce(t, db)
			must(t, proctest.RoleEnviron(db), "hooks", "adopt", "1")
			start(t, db, "HOOKTAIL_DELIVER="+tt.deliver)
			db.Exec(t, annotate, 7)
			delivered(t, db)
			got := map[int64]int{1: 0, 2: 0}
			for _, r := range c.Take() {
				if r.Action == "ANNOTATION_CREATED" && r.Hook <= 2 {
					got[r.Hook]++
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("annotations by hook (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAdoptSays(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	db.Exec(t, `UPDATE webhook SET headers = '["a list"]' WHERE id = 2`)
	for _, tt := range []struct {
		name      string
		variables []string
		args      string
		code      int
		want      string // of both outputs
	}{
		{"nobody", nil, "adopt", exitUsage, "or --all"},
		{"somebody and all", nil, "adopt 1 --all", exitUsage, "or --all"},
		{"no id", nil, "adopt one", exitUsage, `"one" is not the id of a hook`},
		{"unknown", nil, "adopt 1 99", exitFailed, "there is no hook 99"},
		{"switched off", nil, "adopt 4", exitFailed, "hook 4 is inactive"},
		{"refused", nil, "adopt 2", exitFailed, "JSON object"},
		{"served by nobody", []string{"HOOKTAIL_DELIVER=active"}, "adopt 1", exitUsage, "HOOKTAIL_DELIVER=active"},
		{"no slot", []string{"HOOKTAIL_SLOT=another"}, "adopt 1", exitFailed, `"another" does not exist`},
		{"not adopted", nil, "release 1", exitDone, "hook 1 is not adopted"},
		{"one", nil, "adopt 1", exitDone, "hook 1 adopted"},
		{"again", nil, "adopt 1", exitDone, "hook 1 is already adopted"},
		{"all", nil, "adopt --all", exitDone, "hook 2 was skipped"},
		{"back", nil, "release 1", exitDone, "hook 1 released"},
		{"all back", nil, "release --all", exitDone, "hook 3 released"},
		{"all back again", nil, "release --all", exitDone, "nothing was changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(proctest.RoleEnviron(db, tt.variables...), append([]string{"hooks"}, strings.Fields(tt.args)...)...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
		})
	}
	if got := db.QueryText(t, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM webhook WHERE NOT is_active"); got != "4" {
		t.Errorf("hooks %s are off, want 4 as before", got)
	}
}

// TestAdoptIsAtomic: if Label Studio's row cannot be changed, nothing is.
func TestAdoptIsAtomic(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	role := "plain_" + db.Name
	db.Exec(t, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+role); db.Exec(t, "DROP ROLE "+role) })
	for _, sql := range []string{
		"GRANT SELECT ON webhook, webhook_action TO " + role, "GRANT USAGE ON SCHEMA hooktail TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hooktail TO " + role,
	} {
		db.Exec(t, sql)
	}
	as := proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL="+strings.Replace(db.DSN, "postgres@", role+"@", 1))
	code, _, stderr := command(as, "hooks", "adopt", "1")
	if code != exitFailed || !strings.Contains(stderr, `GRANT UPDATE (is_active) ON "public"."webhook"`) {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	if got := db.QueryText(t, "SELECT count(*) FROM hooktail.hook_setting WHERE adopted"); got != "0" {
		t.Errorf("%s hooks are adopted", got)
	}
	db.Exec(t, "GRANT UPDATE (is_active) ON webhook TO "+role)
	must(t, as, "hooks", "adopt", "1")
}

// annotationsOf is the annotations that were created, in the order in which they
// came to the hook.
func annotationsOf(t *testing.T, requests []conformance.Request, hook int64) []string {
	t.Helper()
	var ids []string
	for _, r := range requests {
		if r.Hook == hook && r.Action == "ANNOTATION_CREATED" {
			ids = append(ids, idOf(t, r.Body, "annotation"))
		}
	}
	return ids
}

// TestAdoptSendsWhatIsUnderWay: Label Studio looks its hooks up at the end of a request, and
// finds an adopted one no more. What it has committed by then comes from hooktail, although
// it served only adopted hooks at the commit: once, in order, and to this hook alone.
func TestAdoptSendsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	variables := []string{"HOOKTAIL_DELIVER=adopted", "HOOKTAIL_ADOPT_OVERLAP=10m"}
	start(t, db, variables...)
	environ := proctest.RoleEnviron(db, variables...)
	var want []string
	for range 3 {
		want = append(want, db.QueryText(t, annotate, 7))
	}
	delivered(t, db)
	if got := c.Take(); len(got) > 0 {
		t.Errorf("%d requests before the adoption", len(got))
	}
	want = append(want, db.QueryText(t, annotate, 7)) // not settled yet, perhaps
	must(t, environ, "hooks", "adopt", "1", "--force")
	want = append(want, db.QueryText(t, annotate, 7))
	delivered(t, db)
	var got []string
	proctest.WaitFor(t, func() error {
		requests := c.Take()
		for _, r := range requests {
			if r.Hook != 1 {
				t.Errorf("hook %d, which nobody has adopted, got %s", r.Hook, r.Action)
			}
		}
		if got = append(got, annotationsOf(t, requests, 1)...); len(got) < len(want) {
			return fmt.Errorf("annotations %v at hook 1, want %v", got, want)
		}
		return nil
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations at hook 1 (-saved +got):\n%s", diff)
	}

	must(t, environ, "hooks", "release", "1") // and from here on Label Studio sends
	db.Exec(t, annotate, 7)
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) > 0 {
		t.Errorf("annotations %v at hook 1, which was released", got)
	}
}

// TestAdoptWaitsForTheOverlap: what was committed before hooktail began to remember could be
// sent by nobody, and that is for a person to decide.
func TestAdoptWaitsForTheOverlap(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	variables := []string{"HOOKTAIL_DELIVER=adopted", "HOOKTAIL_ADOPT_OVERLAP=10m"}
	setUpOnce(t, db, variables...)
	refused := func(want string, environ []string) {
		t.Helper()
		code, stdout, stderr := command(environ, "hooks", "adopt", "1")
		if code != exitFailed || !strings.Contains(stderr, want) || !strings.Contains(stderr, "--force") {
			t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
		}
		if got := db.QueryText(t, "SELECT is_active FROM webhook WHERE id = 1"); got != "t" {
			t.Errorf("is_active = %s after adopt refused", got)
		}
	}
	refused("hooktail is not reading the slot", proctest.RoleEnviron(db, variables...))
	p := start(t, db, variables...)
	refused("does not remember all events of the last 10m0s", proctest.RoleEnviron(db, variables...))
	refused("does not remember all events of the last 10m0s", proctest.RoleEnviron(db, "HOOKTAIL_HTTP_ADDR="+p.ops)) // the program knows better
	must(t, proctest.RoleEnviron(db, "HOOKTAIL_ADOPT_OVERLAP=0", "HOOKTAIL_DELIVER=adopted"), "hooks", "adopt", "2")
	must(t, proctest.RoleEnviron(db, variables...), "hooks", "adopt", "1", "--force")
	must(t, proctest.RoleEnviron(db, variables...), "hooks", "release", "--all")
}
