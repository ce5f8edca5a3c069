//go:build long && soak && unix

package faults

import (
	"testing"
	"time"
)

// TestSoakHundredKills: a hundred kills at 500 events a second and 200 hooks lose nothing, and
// repeat only what was delivered shortly before.
func TestSoakHundredKills(t *testing.T) {
	soakKills(t, 100, 25, 6200*time.Microsecond).repeatsAreRecent(t)
}

// TestSoakNATSAway: NATS is away for ten minutes, at 500 events a second.
func TestSoakNATSAway(t *testing.T) {
	natsAway(t, 10*time.Minute)
}

// TestSoakKillsAroundTheLog is TestKillsAroundTheLogLoseNothing for longer.
func TestSoakKillsAroundTheLog(t *testing.T) {
	killAroundLog(t, 10)
}

// TestSoakFrozenSender is TestFrozenSenderIsFenced with a session that the server
// ends by itself.
func TestSoakFrozenSender(t *testing.T) {
	frozenSender(t, time.Minute)
}

// TestSoakFrozenReader is TestFrozenReaderIsFenced with sessions that the server
// ends by itself.
func TestSoakFrozenReader(t *testing.T) {
	frozenReader(t, time.Minute)
}
