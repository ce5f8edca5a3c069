package relay_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/mapping"
)

// journal is an outlet that appends each event to a file, as a line of JSON, before it
// hands the event on to the lanes of the hooks.
type journal struct {
	file  *os.File
	lanes relay.Outlet
}

// line is one event of one hook.
type line struct {
	Hook int64           `json:"hook"`
	ID   string          `json:"id"` // the same after a restart: readers drop what they have
	Body json.RawMessage `json:"body"`
}

// Enqueue hands on what is safe in the file: the lanes then call Done, and the slot is
// confirmed. What fails here ends the term of leadership, and comes again with the next.
func (j *journal) Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error {
	out := json.NewEncoder(j.file)
	for _, d := range deliveries {
		body := d.Event.Body(d.Action, d.Payload).Bytes()
		if err := out.Encode(line{d.Hook, d.Event.ID.String(), body}); err != nil {
			return fmt.Errorf("write event: %w", err)
		}
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return j.lanes.Enqueue(ctx, deliveries)
}

// Drain waits for the lanes alone: the file is as far as Enqueue has come.
func (j *journal) Drain(ctx context.Context) error { return j.lanes.Drain(ctx) }

// lanes stands in for those of the hooks.
type lanes struct{}

func (lanes) Enqueue(_ context.Context, deliveries []dispatch.Delivery) error {
	for _, d := range deliveries {
		d.Done()
	}
	return nil
}

func (lanes) Drain(context.Context) error { return nil }

// ExampleOutlet puts a second destination before the lanes, as Options.Outlet does, and
// hands it what the pipeline does.
func ExampleOutlet() {
	file, err := os.CreateTemp("", "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }()
	options := relay.Options{Outlet: func(lanes relay.Outlet) relay.Outlet { return &journal{file, lanes} }}

	outlet := options.Outlet(lanes{})
	delivery := dispatch.Delivery{
		Event: &mapping.Event{ID: mapping.ID{Timeline: 1, Commit: 0x1A2B3C, Ordinal: 1}},
		Done:  func() { fmt.Println("done") },
	}
	delivery.Hook, delivery.Action = 7, mapping.ProjectUpdated
	if err := outlet.Enqueue(context.Background(), []dispatch.Delivery{delivery}); err != nil {
		fmt.Println(err)
	}
	written, err := os.ReadFile(file.Name())
	fmt.Print(string(written), err)
	// Output:
	// done
	// {"hook":7,"id":"1-1A2B3C-1","body":{"action":"PROJECT_UPDATED"}}
	// <nil>
}
