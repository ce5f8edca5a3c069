package main

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// full is a disk with room for a number of bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, syscall.ENOSPC
	}
	f.room -= len(p)
	return len(p), nil
}

// TestOutputIsWholeOrAFailure: a command that prints facts, SQL or a payload into a file whose
// disk is full fails, whatever part of it is missing.
func TestOutputIsWholeOrAFailure(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	fill(t, db, "dead", 1)
	db.Exec(t, "UPDATE hooktail.parked SET event_id = '2-1-1', body = '{\"action\": \"TASK_CREATED\"}'")
	environ := proctest.Environ(db)
	for _, line := range []string{
		"setup --print", "status", "status --json", "hooks list", "hooks list --json", "hooks show 1", "hooks show 1 --json",
		"deliveries list", "deliveries list --json", "deliveries show 2-1-1 --payload", "deliveries redrive --all --dry-run", "deliveries discard --all --dry-run --json",
		"backfill --hook 1 --project 1 --action TASK_CREATED --dry-run", "hooks test 1 --filter true", "version", "--version",
		"help", "help environment", "help hooks", "hooks", "hooks list --help", "completion bash",
	} {
		args := strings.Fields(line)
		whole := must(t, environ, args...)
		for _, room := range []int{0, len(whole) - 10} { // ages in it vary a little
			a := &app{stdout: &full{room}, stderr: io.Discard, environ: environ, Tuning: relay.Tuning{Guest: true}}
			if code := a.execute(context.Background(), args); code != exitFailed {
				t.Errorf("hooktail %s: exit code %d with room for %d of %d bytes", line, code, room, len(whole))
			}
		}
	}
}
