//go:build long

package faults

import (
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestFiveGracefulStopsSendNoDuplicate is TestGracefulStopSendsNoDuplicate with five stops.
func TestFiveGracefulStopsSendNoDuplicate(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) { stop(t, route, 5) })
}

// TestSlotLongNeverAheadOfDelivery is TestSlotNeverAheadOfDelivery for longer.
func TestSlotLongNeverAheadOfDelivery(t *testing.T) {
	t.Parallel()
	eachRoute(t, func(t *testing.T, route proctest.Route) { slotBehind(t, route, 20) })
}
