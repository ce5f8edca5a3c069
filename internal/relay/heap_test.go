package relay

import (
	"testing"

	"github.com/hooktail/hooktail/internal/wiring"
)

// TestMemoryIsSharedOut: what the rows, the bodies and one part may hold, twice over
// for the garbage collector, is within what Go's runtime may take.
func TestMemoryIsSharedOut(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for _, tt := range []struct{ memory, heap int64 }{{64 * mib, 47 * mib}, {512 * mib, 495 * mib}, {32 * mib, 16 * mib}} {
		if got := heapOf(tt.memory); got != tt.heap {
			t.Errorf("heapOf(%d MiB) = %d MiB, want %d", tt.memory/mib, got/mib, tt.heap/mib)
		}
		if held := tt.memory/wiring.RowsShare + tt.memory/wiring.BodiesShare + tt.memory/wiring.PartShare; 2*held > heapOf(tt.memory) {
			t.Errorf("of %d MiB, %d are held and %d are there", tt.memory/mib, held/mib, heapOf(tt.memory)/mib)
		}
	}
}
