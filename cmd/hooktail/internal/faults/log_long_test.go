//go:build long

package faults

import "testing"

// TestManyKillsAroundTheLogLoseNothing is TestKillsAroundTheLogLoseNothing for longer.
func TestManyKillsAroundTheLogLoseNothing(t *testing.T) {
	t.Parallel()
	killAroundLog(t, 10)
}
