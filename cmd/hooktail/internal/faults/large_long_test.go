//go:build long

package faults

import "testing"

// TestMillionRowsBoundedMemory is TestLargeTransactionBoundedMemory with a million rows.
func TestMillionRowsBoundedMemory(t *testing.T) {
	t.Parallel()
	largeTransaction(t, 1_000_000)
}
