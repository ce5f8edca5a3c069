//go:build long && unix

package faults

import (
	"testing"
	"time"
)

// TestKillsOfReadersSendersAndNodesLoseNothing is the soak with ten kills and a smaller load.
func TestKillsOfReadersSendersAndNodesLoseNothing(t *testing.T) {
	t.Parallel()
	soakKills(t, 10, 5, 40*time.Millisecond)
}
