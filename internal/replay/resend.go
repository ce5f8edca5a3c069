package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// gapSlack is how long before the gap's beginning rows are looked at: a row's
// created_at and updated_at are of the application's clock, and from before the commit.
const gapSlack = time.Minute

// Resent counts what was made of the tables.
type Resent struct {
	Deliveries map[mapping.Action]int
	Refused    int             // of them, by the database
	bytes      map[int64]int64 // of the bodies, by hook
}

// ResendOptions say what is made again, and for whom. All but DryRun are required.
type ResendOptions struct {
	Parked  *wiring.Parked
	Mapping mapping.Options
	Hooks   *hook.Set
	Since   time.Time // when the gap began
	To      cdc.LSN   // where it ends
	Most    int64     // bytes that may be parked for a hook; 0: no bound
	DryRun  bool      // only count

	Progress func(total int64) Progress // is called for each action, when its rows have been counted
}

// resend is one run.
type resend struct {
	*wiring.Parked
	o ResendOptions
}

// Resend makes events of the rows that were created or updated since the gap began, and
// parks them for the hooks that want them.
func Resend(ctx context.Context, o ResendOptions) (*Resent, error) {
	return (&resend{Parked: o.Parked, o: o}).run(ctx)
}

// run parks projects, then tasks, then annotations. A dry run only counts.
func (r *resend) run(ctx context.Context) (*Resent, error) {
	out := &Resent{Deliveries: map[mapping.Action]int{}, bytes: map[int64]int64{}}
	if !r.o.DryRun {
		if err := r.Store.Withdraw(ctx, mapping.ID{Commit: r.o.To}); err != nil {
			return nil, err
		}
	}
	options := r.o.Mapping
	locator := mapping.NewLocator(r.Pool, options)
	ordinal := 0
	for _, action := range mapping.BackfillActions() {
		rows, err := mapping.NewBackfill(r.Pool, options, action, mapping.BackfillRows{Since: r.o.Since.Add(-gapSlack), Changed: true})
		if err != nil {
			return nil, err
		}
		total, err := rows.Begin(ctx)
		if err != nil {
			return nil, err
		}
		progress := r.o.Progress(total)
		for {
			page, err := rows.Next(ctx, BackfillBatch)
			if err != nil {
				return nil, err
			}
			if len(page) == 0 {
				break
			}
			if err := r.page(ctx, rows, page, locator, &ordinal, out); err != nil {
				return nil, err
			}
			for i := range page {
				progress.Step(page[i].ID, time.Now())
			}
		}
		progress.End()
	}
	return out, nil
}

// page parks the events of some rows.
func (r *resend) page(ctx context.Context, rows *mapping.Backfill, page []mapping.BackfillRow, locator *mapping.Locator, ordinal *int, out *Resent) error {
	var events []*mapping.Event
	for i := range page {
		if e := page[i].Event; e != nil {
			events = append(events, e)
		}
	}
	if err := locator.Locate(ctx, events); err != nil {
		return err
	}
	wanted := make([][]hook.Target, len(events))
	for i, e := range events {
		locator.Miss(e)
		wanted[i] = r.o.Hooks.Match(e, nil)
	}
	if !r.o.DryRun {
		if err := rows.Render(ctx, page); err != nil {
			return err
		}
	}
	var parked []state.Row
	now := time.Now()
	for i, e := range events {
		e.ID = mapping.ID{Commit: r.o.To, Ordinal: *ordinal}
		*ordinal++
		for _, target := range wanted[i] {
			out.Deliveries[target.Action]++
			if r.o.DryRun {
				continue
			}
			body := e.Body(target.Action, target.Payload)
			if err := out.add(target.Hook, body.Len()+state.RowBytes, r.o.Most); err != nil {
				return err
			}
			parked = append(parked, state.Row{
				Key: state.Key{Hook: target.Hook, Event: e.ID}, Action: target.Action, Project: e.Project, Task: e.Task,
				Committed: e.Committed, Body: body, Added: now,
			})
		}
	}
	refused, err := r.Store.Park(ctx, parked)
	out.Refused += refused
	return err
}

// add counts the bytes of a row, of which a hook may have no more than can be parked for it.
func (r *Resent) add(hook int64, bytes int, most int64) error {
	r.bytes[hook] += int64(bytes)
	if most > 0 && r.bytes[hook] > most {
		return fmt.Errorf("hook %d would get more than can be parked for it: raise HOOKTAIL_PARK_MAX_BYTES, or switch it off for the repair", hook)
	}
	return nil
}
