package replay_test

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/internal/replay"
)

// TestResultNamesDeletedMessages: a replay that was overtaken by the deletion of old messages says so.
func TestResultNamesDeletedMessages(t *testing.T) {
	t.Parallel()
	for missed, want := range map[uint64]bool{0: false, 3: true} {
		l := replay.LogResult{Hook: 7, Events: 2, Missed: missed}
		if got := l.String(); strings.Contains(got, "the log has deleted 3 messages meanwhile") != want {
			t.Errorf("%d missed: %s", missed, got)
		}
	}
}
