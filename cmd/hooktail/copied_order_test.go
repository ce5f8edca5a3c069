package main

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestKeptOfALaterWAL: deliveries that were restored on a server with less WAL than the original
// follow its new events in the order, and repair says so before it is too late.
func TestKeptOfALaterWAL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lsn  string
		want bool
	}{{"0/1", false}, {"FFFF/0", true}} {
		db := cdctest.Postgres(t).LabelStudio(t)
		setUpOnce(t, db)
		db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
			VALUES (1, $1::text::pg_lsn, 1, 1, '', 'TASK_CREATED', 1, 1, now(), '{}', 2, now())`, tt.lsn)
		db.Exec(t, "UPDATE hooktail.identity SET system_id = '1'")
		for _, args := range [][]string{{"--keep-parked", "--dry-run"}, {"--forget-parked", "--dry-run"}, {"--keep-parked"}} {
			got := must(t, proctest.Environ(db), append([]string{"repair"}, args...)...)
			if want := tt.want && args[0] == "--keep-parked"; strings.Contains(got, "before Label Studio starts") != want {
				t.Errorf("parked at %s: repair %v mentions the order: %t, want %t:\n%s", tt.lsn, args, !want, want, got)
			}
		}
	}
}
