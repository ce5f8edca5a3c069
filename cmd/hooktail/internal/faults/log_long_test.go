//go:build long

package faults

import (
	"testing"
	"time"
)

// TestManyKillsAroundTheLogLoseNothing is TestKillsAroundTheLogLoseNothing for longer.
func TestManyKillsAroundTheLogLoseNothing(t *testing.T) {
	t.Parallel()
	killAroundLog(t, 10)
}

// TestKillsOfReadersSendersAndNodesLoseNothing is the soak with ten kills and a smaller load.
func TestKillsOfReadersSendersAndNodesLoseNothing(t *testing.T) {
	t.Parallel()
	soakKills(t, 10, 5, 40*time.Millisecond)
}
