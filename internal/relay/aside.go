package relay

import (
	"context"
	"slices"

	"github.com/hooktail/hooktail/dispatch"
)

// aside passes deliveries to an outlet on a goroutine of its own, so that the next batch is rendered
// while one is written. It is an outlet.
type aside struct {
	outlet    Outlet
	questions *questions
	huge      int // bytes of a payload during whose writing nothing is rendered
	batches   chan []dispatch.Delivery
	ended     chan struct{} // closed when run has returned
	err       error         // why run has left something; read after ended
}

func newAside(outlet Outlet, questions *questions, huge int) *aside {
	return &aside{outlet: outlet, questions: questions, huge: huge, batches: make(chan []dispatch.Delivery), ended: make(chan struct{})}
}

// run passes batches on until Drain or the end of ctx. It returns the outlet's error.
func (a *aside) run(ctx context.Context) error {
	defer close(a.ended)
	for {
		select {
		case deliveries, more := <-a.batches:
			if !more {
				return nil
			}
			written := a.questions.ask("find room for events in the log")
			a.err = a.outlet.Enqueue(ctx, deliveries)
			written()
			if a.err != nil {
				return a.err
			}
		case <-ctx.Done():
			a.err = ctx.Err()
			return nil
		}
	}
}

// Enqueue waits until the batch before this one is written, and also this one if it has a huge
// payload: the next one may have another, and memory has no room for two.
func (a *aside) Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error {
	isHuge := slices.ContainsFunc(deliveries, func(d dispatch.Delivery) bool {
		members := d.Event.Members()
		return len(members[0])+len(members[1]) > a.huge
	})
	if err := a.send(ctx, deliveries); err != nil || !isHuge {
		return err
	}
	return a.send(ctx, nil) // which run takes when the batch is written
}

func (a *aside) send(ctx context.Context, deliveries []dispatch.Delivery) error {
	select {
	case a.batches <- deliveries:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Drain waits until everything is written, or returns why it is not.
func (a *aside) Drain(ctx context.Context) error {
	close(a.batches)
	select {
	case <-a.ended:
		if a.err != nil {
			return a.err
		}
		return a.outlet.Drain(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}
