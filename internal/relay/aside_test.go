package relay

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/mapping"
)

// slow is an outlet that takes a batch when it is told to.
type slow struct{ written chan struct{} }

func (s slow) Enqueue(_ context.Context, deliveries []dispatch.Delivery) error {
	if len(deliveries) > 0 {
		<-s.written
	}
	return nil
}

func (slow) Drain(context.Context) error { return nil }

// TestAsideHoldsOneHugePayload: the next batch is rendered while one is written, unless that has a
// huge payload.
func TestAsideHoldsOneHugePayload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := slow{written: make(chan struct{})}
		a := newAside(s, newQuestions(nil, nil), 100)
		crew, work := newCrew(t.Context())
		crew.start(work, a.run)
		taken := 0
		crew.start(work, func(work context.Context) error {
			for _, size := range []int{100, 101, 5} {
				e := &mapping.Event{Payload: make([]byte, size)}
				if err := a.Enqueue(work, []dispatch.Delivery{{Event: e}}); err != nil {
					return err
				}
				taken++
			}
			return a.Drain(work)
		})
		for i, want := range []int{1, 1, 3, 3} {
			synctest.Wait()
			if taken != want {
				t.Errorf("%d batches are written and %d taken, not %d", i, taken, want)
			}
			if i < 3 {
				s.written <- struct{}{}
			}
		}
		synctest.Wait()
		if err := context.Cause(work); err != nil {
			t.Error(err)
		}
		crew.end(errStopped)
	})
}
