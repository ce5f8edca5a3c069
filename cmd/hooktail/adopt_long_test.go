//go:build long

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestAdoptAllOfMany: ten thousand hooks change hands in one transaction, and nothing is
// missed or repeated.
func TestAdoptAllOfMany(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT n, 'http://127.0.0.1:1/', 1, 2, true, true, '{}', true, now(), now() FROM generate_series(100, 10099) n`)
	start(t, db)
	want := []string{db.QueryText(t, annotate, 7)}
	must(t, proctest.RoleEnviron(db), "hooks", "adopt", "--all")
	want = append(want, db.QueryText(t, annotate, 7))
	delivered(t, db)
	must(t, proctest.RoleEnviron(db), "hooks", "release", "--all")
	want = append(want, db.QueryText(t, annotate, 7))
	delivered(t, db)
	if diff := cmp.Diff(want, annotationsOf(t, c.Take(), 1)); diff != "" {
		t.Errorf("annotations at hook 1 (-saved +got):\n%s", diff)
	}
	if got := db.QueryText(t, "SELECT count(*) FROM hooktail.hook_setting WHERE adopted"); got != "0" {
		t.Errorf("%s hooks are adopted", got)
	}
}

// TestAdoptThroughKillMinus9: a hooktail that is killed while hooks are handed over
// and back finds, where it goes on, how they were there.
func TestAdoptThroughKillMinus9(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	want := map[string]bool{}
	save := func() {
		for range 10 {
			want[db.QueryText(t, annotate, 7)] = true
		}
	}
	for range 3 {
		p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
		save()
		must(t, proctest.RoleEnviron(db), "hooks", "adopt", "1")
		save()
		p.Kill()
		must(t, proctest.RoleEnviron(db), "hooks", "release", "1")
		save()
	}
	start(t, db, "HOOKTAIL_SETTLE=0")
	delivered(t, db)
	got := map[string]bool{}
	for _, annotation := range annotationsOf(t, c.Take(), 1) {
		got[annotation] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations at hook 1 (-saved +got):\n%s", diff)
	}
}
