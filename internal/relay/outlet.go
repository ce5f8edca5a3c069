package relay

import (
	"context"

	"github.com/hooktail/hooktail/dispatch"
)

// Outlet is where rendered events go: the lanes, or what Options.Outlet puts before
// them. It gets one delivery for each hook that wants an event. One goroutine calls it.
//
// It is responsible for a delivery until it calls the delivery's Done, once, from any
// goroutine: the delivery has arrived, or is stored where a crash does not reach it. The
// slot is confirmed up to the first delivery that is not done. Deliveries that are not
// done when the program ends come again, with the same event id.
type Outlet interface {
	// Enqueue takes deliveries in the order of the stream. While there is no room it
	// waits, and nothing more is read; it gives up when ctx ends. An error ends the term
	// of leadership. The outlet may keep the slice.
	Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error

	// Drain returns when all deliveries are done or ctx has ended. Enqueue is not called
	// afterwards.
	Drain(ctx context.Context) error
}
