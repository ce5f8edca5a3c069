package dispatch

import (
	"context"
	"errors"
	"testing"
)

// TestSharedBytesCountOnce, and for as long as one event holds them, whichever it is.
func TestSharedBytesCountOnce(t *testing.T) {
	t.Parallel()
	b := &budget{max: 100}
	batch, next := new(int), new(int)
	first, second, other := load{own: 10, shared: 80, key: batch}, load{own: 5, shared: 80, key: batch}, load{own: 1, shared: 80, key: next}
	steps := []struct {
		change func() error
		want   int64
	}{
		{func() error { return b.reserve(t.Context(), first, 1, nil) }, 90},
		{func() error { return b.reserve(t.Context(), second, 1, nil) }, 95},
		{func() error { b.give(first, 1); return nil }, 85},
		{func() error { // there is no room for the shared bytes of another batch
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := b.reserve(ctx, other, 1, func() {}); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that it was canceled", err)
			}
			return nil
		}, 85},
		{func() error { return b.reserve(t.Context(), first, 1, nil) }, 95},
		{func() error { b.give(second, 1); return nil }, 90},
		{func() error { b.give(load{}, 0); return nil }, 90},
		{func() error { b.give(first, 1); return nil }, 0},
		{func() error { return b.reserve(t.Context(), other, 1, nil) }, 81},
		{func() error { b.give(other, 1); return nil }, 0},
	}
	for i, step := range steps {
		if err := step.change(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if bytes, _ := b.held(); bytes != step.want {
			t.Errorf("step %d: %d bytes, want %d", i, bytes, step.want)
		}
	}
	if len(b.sharing) != 0 {
		t.Errorf("%d keys are left", len(b.sharing))
	}
}
