package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/receiver"
	"github.com/hooktail/hooktail/mapping"
	"github.com/hooktail/hooktail/testdata"
)

// recording is a recorded action of a Label Studio user that makes one event.
type recording struct {
	scenario string
	before   string // SQL that replaces the recordings skipped before it; "" for none
}

// tourRecordings make each of the seven actions once. Recordings build on earlier ones:
// an annotation takes the next id of its sequence.
var tourRecordings = []recording{
	{"01-project-create", ""},
	{"02-project-update-title", ""},
	{"07-task-create-post", ""},
	{"18-annotation-create", nextAnnotation + "13)"},
	{"20-annotation-update-patch", ""},
	{"37-dm-delete-annotations", ""},
	{"62-project-delete", ""},
}

// outageRecordings are changes of one task, played while a receiver is down.
var outageRecordings = []recording{
	{"27-annotation-second-user", nextAnnotation + "15)"},
	{"22-annotation-update-put", ""},
	{"23-annotation-skip-existing", ""},
	{"32-annotation-delete", ""},
}

const nextAnnotation = "SELECT setval(pg_get_serial_sequence('task_completion', 'id'), "

// patience bounds how long a step of the tour waits for its events.
const patience = time.Minute

// tour shows the seven actions, then an outage, and checks that no event is missing.
func (d *demo) tour(ctx context.Context) error {
	if err := d.showActions(ctx); err != nil {
		return err
	}
	n, err := d.showOutage(ctx)
	if err != nil {
		return err
	}
	return d.verdict(ctx, n)
}

// showActions plays the seven actions and prints their arrival at both receivers.
func (d *demo) showActions(ctx context.Context) error {
	end := "commit:"
	if settle := d.sidecar.cfg.Settle; settle > 0 {
		end = fmt.Sprintf("commit (hooktail waits up to %s for the user's action to end):", display.Span(settle))
	}
	d.print("A user works in Label Studio. Both receivers get each event this long after its\n%s\n", end)
	for i, step := range tourRecordings {
		if err := d.play(ctx, step); err != nil {
			return err
		}
		for _, r := range d.receivers {
			if err := d.await(ctx, r, i+1); err != nil {
				return err
			}
		}
		first, second := d.receivers[0].since(i)[0], d.receivers[1].since(i)[0]
		d.print("  %-20s %-34s %8s %8s\n", d.Out.Paint(display.Good, fmt.Sprintf("%-20s", first.Payload.Action)), first.Payload.About(), first.Since(), second.Since())
	}
	return nil
}

// showOutage closes one receiver and shows that the other is not affected: the missed
// events are parked, and arrive in order after the receiver is back. It returns their
// number.
func (d *demo) showOutage(ctx context.Context) (int, error) {
	alive, dead := d.receivers[0], d.receivers[1]
	seen, n := len(tourRecordings), len(outageRecordings)
	dead.close()
	died := time.Now()
	d.print("\nReceiver 2 %s. The user goes on annotating:\n", d.Out.Paint(display.Bad, "dies"))
	for _, step := range outageRecordings {
		if err := d.play(ctx, step); err != nil {
			return n, err
		}
	}
	if err := d.await(ctx, alive, seen+n); err != nil {
		return n, err
	}
	slowest := slices.MaxFunc(alive.since(seen), func(a, b receiver.Arrival) int { return int(a.Latency - b.Latency) })
	d.print("  receiver 1   %d of %d delivered, each within %s of its commit\n", n, n, slowest.Since())
	if err := d.until(ctx, func() error {
		parked, err := d.sidecar.metric("hooktail_parked", 2, nil)
		if err == nil && parked < n {
			err = fmt.Errorf("%d of %d deliveries are parked for hook 2", parked, n)
		}
		return err
	}); err != nil {
		return n, err
	}
	d.print("  receiver 2   refuses connections: %d of %d parked in PostgreSQL\n", n, n)
	if err := dead.listen(ctx); err != nil {
		return n, err
	}
	d.print("Receiver 2 %s after %s, and gets what it missed, in order:\n", d.Out.Paint(display.Good, "is back"), display.Span(time.Since(died)))
	for i := range n {
		if err := d.await(ctx, dead, seen+i+1); err != nil {
			return n, err
		}
		a := dead.since(seen + i)[0]
		d.print("  %s %-34s %17s\n", d.Out.Paint(display.Good, fmt.Sprintf("%-20s", a.Payload.Action)), a.Payload.About(), a.Since())
	}
	return n, nil
}

func (d *demo) play(ctx context.Context, step recording) error {
	statements, err := testdata.Changes(step.scenario)
	if err != nil {
		return err
	}
	if step.before != "" {
		statements = append([]string{step.before}, statements...)
	}
	return testdata.Play(ctx, d.conn, statements)
}

func (d *demo) await(ctx context.Context, r *endpoint, events int) error {
	return d.until(ctx, func() error {
		if n := len(r.since(0)); n < events {
			return fmt.Errorf("%d of %d events have arrived at %s", n, events, r.name)
		}
		return nil
	})
}

// until waits until the condition returns nil. It checks it every 10 ms.
func (d *demo) until(ctx context.Context, condition func() error) error {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := condition()
		if missing == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-d.sidecar.ended:
			return errEnded
		case <-timeout.C:
			return fmt.Errorf("after %s %w", display.Span(patience), missing)
		}
	}
}

// verdict compares the arrivals of both receivers and prints the result. It returns an
// error if an event is missing, doubled or out of order.
func (d *demo) verdict(ctx context.Context, missed int) error {
	alive, dead := d.receivers[0].since(0), d.receivers[1].since(0)
	seen := map[mapping.Action]bool{}
	for _, a := range alive {
		seen[mapping.Action(a.Payload.Action)] = true
	}
	actions := mapping.Guide.Actions()
	for _, action := range actions {
		if !seen[action] {
			return fmt.Errorf("%s was not delivered", action)
		}
	}
	if !slices.EqualFunc(alive, dead, func(a, b receiver.Arrival) bool { return a.ID == b.ID }) {
		return fmt.Errorf("the receivers did not get the same events in the same order: %d and %d requests", len(alive), len(dead))
	}
	if d.Receiver != "" {
		d.reportExtra(ctx, len(alive))
	}
	d.print("\n%d of %d actions delivered; of the %d missed events none was lost or out of order.\n", len(seen), len(actions), missed)
	return nil
}

// extraPatience bounds the wait for the user's own receiver.
const extraPatience = 5 * time.Second

// reportExtra prints how many events the user's own receiver, which may be down, has
// accepted.
func (d *demo) reportExtra(ctx context.Context, events int) {
	ctx, cancel := context.WithTimeout(ctx, extraPatience)
	defer cancel()
	delivered := 0
	_ = d.until(ctx, func() (err error) { // the line below gives the number of missing events
		delivered, err = d.sidecar.metric("hooktail_deliveries_total", 3, map[string]string{"outcome": "delivered"})
		if err == nil && delivered < events {
			err = fmt.Errorf("%d of %d events are delivered", delivered, events)
		}
		return err
	})
	rest := ""
	if delivered < events {
		rest = "; the others are retried"
	}
	d.print("\n%s: %d of %d delivered%s\n", d.Mask(d.Receiver), delivered, events, rest)
}
