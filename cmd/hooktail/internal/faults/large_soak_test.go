//go:build long && soak

package faults

import (
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestMillionRowsBoundedMemory is TestLargeTransactionBoundedMemory with a million rows.
func TestMillionRowsBoundedMemory(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		largeTransaction(t, route, 1_000_000)
	})
}
