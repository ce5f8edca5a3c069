//go:build long && unix

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

// TestSenderFrozenForAMinuteIsFenced is TestFrozenSenderIsFenced with a session that the server
// ends by itself.
func TestSenderFrozenForAMinuteIsFenced(t *testing.T) {
	t.Parallel()
	frozenSender(t, time.Minute)
}

// TestReaderFrozenForAMinuteIsFenced is TestFrozenReaderIsFenced with sessions that the server
// ends by itself.
func TestReaderFrozenForAMinuteIsFenced(t *testing.T) {
	t.Parallel()
	frozenReader(t, time.Minute)
}
