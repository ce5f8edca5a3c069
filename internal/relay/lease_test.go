package relay

import (
	"slices"
	"testing"

	"github.com/hooktail/hooktail/internal/natslog"
)

// TestSpread: each sender has a fair number of hooks that are numbered from 1.
func TestSpread(t *testing.T) {
	if got := slices.Sorted(slices.Values(spread)); len(got) != natslog.Partitions || got[0] != 0 || got[len(got)-1] != natslog.Partitions-1 || len(slices.Compact(got)) != natslog.Partitions {
		t.Fatalf("the order is %v", spread)
	}
	for i, p := range spread {
		if spread[p] != i {
			t.Errorf("partition %d is at %d, and its place is %d", p, i, spread[p])
		}
	}
	for _, hooks := range []int64{16, 80, 400, 1000} {
		for _, senders := range []int{1, 2, 4, 8} {
			fair := natslog.Partitions / senders
			var numbers []int
			for share := range slices.Chunk(spread, fair) {
				n := 0
				for hook := range hooks {
					if slices.Contains(share, natslog.PartitionOf(hook+1)) {
						n++
					}
				}
				numbers = append(numbers, n)
			}
			if least, most := slices.Min(numbers), slices.Max(numbers); most-least > 1 {
				t.Errorf("%d hooks, %d senders: between %d and %d for each", hooks, senders, least, most)
			}
		}
	}
}
