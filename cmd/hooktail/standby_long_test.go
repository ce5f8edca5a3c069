//go:build long

package main

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCommandsOnAStandby: a standby has no slot, or one that nobody may read. That is no gap:
// commands that change something say what the server is.
func TestCommandsOnAStandby(t *testing.T) {
	t.Parallel()
	primary := cdctest.Private(t, throwaway.Options{Major: "17"})
	db := primary.LabelStudio(t)
	setUpOnce(t, db)
	standby := db.On(primary.Standby(t))
	for _, args := range []string{"setup", "teardown --yes", "repair", "repair --dry-run", "repair --resend", "hooks pause 1", "hooks adopt 1 --force", "deliveries discard --all"} {
		code, _, stderr := command(proctest.Environ(standby), strings.Fields(args)...)
		if code != exitFailed || !strings.Contains(stderr, "the server is a standby: name the primary") {
			t.Errorf("hooktail %s: exit code %d: %s", args, code, stderr)
		}
	}
}
