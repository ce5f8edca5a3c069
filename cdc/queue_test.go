package cdc

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func sized(q *queue, sizes ...int) []*Part {
	var parts []*Part
	for _, n := range sizes {
		parts = append(parts, &Part{bytes: n, free: q.free})
	}
	return parts
}

func TestQueueIsBoundedInBytes(t *testing.T) {
	for _, test := range []struct {
		name  string
		sizes []int
		want  int // that pass at once
	}{
		{"all fit", []int{40, 60}, 2},
		{"one byte too many", []int{40, 61}, 1},
		{"bigger than the bound, alone", []int{500, 1}, 1},
		{"bigger than the bound, not alone", []int{1, 500}, 1},
		{"nothing", nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := newQueue(100)
			rest := q.push(sized(q, test.sizes...))
			if got := len(test.sizes) - len(rest); got != test.want {
				t.Errorf("%d parts passed, want %d", got, test.want)
			}
		})
	}
}

func TestQueueFreesOnce(t *testing.T) {
	q := newQueue(100)
	rest := q.push(sized(q, 100, 100))
	taken, err := q.pop(t.Context())
	if err != nil || len(taken) != 1 || len(rest) != 1 {
		t.Fatalf("took %d parts, %d left, error %v", len(taken), len(rest), err)
	}
	if rest = q.push(rest); len(rest) != 1 {
		t.Fatal("a part passed while the taken one was not freed")
	}
	taken[0].Free()
	taken[0].Free()
	<-q.room
	if rest = q.push(rest); len(rest) != 0 || q.bytes() != 100 {
		t.Errorf("%d parts left, %d bytes in the queue, want 0 and 100", len(rest), q.bytes())
	}
}

func TestQueueTakeWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(100)
		go func() {
			<-time.After(time.Minute)
			q.push(sized(q, 1, 2))
		}()
		parts, err := q.pop(t.Context())
		if err != nil || len(parts) != 2 {
			t.Errorf("took %d parts, error %v, want both", len(parts), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := q.pop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestQueueCloseComesAfterTheRest(t *testing.T) {
	q := newQueue(100)
	q.push(sized(q, 1))
	gap := &Gap{Slot: "s"}
	q.close(gap)
	q.close(nil)
	if parts, err := q.pop(t.Context()); err != nil || len(parts) != 1 {
		t.Fatalf("took %d parts, error %v, want the one that was left", len(parts), err)
	}
	for range 2 {
		if _, err := q.pop(t.Context()); !errors.Is(err, gap) {
			t.Errorf("error %v, want the first end", err)
		}
	}
}
