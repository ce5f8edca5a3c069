//go:build long

package faults

import "testing"

// TestFiftyKillsLoseNothing is TestKillMinus9LosesNothing with fifty kills.
func TestFiftyKillsLoseNothing(t *testing.T) {
	t.Parallel()
	kill(t, 50)
}
