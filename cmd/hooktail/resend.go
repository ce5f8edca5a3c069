package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/mapping"
)

// gapSlack is how long before the gap's beginning rows are looked at: a row's
// created_at and updated_at are of the application's clock, and from before the commit.
const gapSlack = time.Minute

// resent counts what a repair has made of the tables.
type resent struct {
	deliveries map[mapping.Action]int
	refused    int             // of them, by the database
	bytes      map[int64]int64 // of the bodies, by hook
}

func (r *resent) report(out io.Writer, what string) {
	if len(r.deliveries) == 0 {
		fmt.Fprintln(out, "no hook wants anything of what was created or updated in the gap")
	}
	for _, action := range slices.Sorted(maps.Keys(r.deliveries)) {
		fmt.Fprintf(out, "%s %d × %s\n", what, r.deliveries[action], action)
	}
	if r.refused > 0 {
		fmt.Fprintf(out, "%s of these could not be stored, and are dead without their bodies: hooktail deliveries list --reason %s\n", display.Count(r.refused, "delivery"), parking.ReasonUnstorable)
	}
}

// resend makes events of the rows that were created or updated since the gap began,
// and parks them for the hooks that want them: projects, then tasks, then
// annotations. A dry run only counts.
func (r *repair) resend(ctx context.Context, s *sidecar, since time.Time) (*resent, error) {
	out := &resent{deliveries: map[mapping.Action]int{}, bytes: map[int64]int64{}}
	if !r.want.dryRun {
		if err := r.store.Withdraw(ctx, mapping.ID{Commit: r.gap.To}); err != nil {
			return nil, err
		}
	}
	options := s.mappingOptions()
	locator := mapping.NewLocator(r.pool, options)
	ordinal := 0
	for _, action := range mapping.BackfillActions() {
		rows, err := mapping.NewBackfill(r.pool, options, action, mapping.BackfillRows{Since: since.Add(-gapSlack), Changed: true})
		if err != nil {
			return nil, err
		}
		total, err := rows.Begin(ctx)
		if err != nil {
			return nil, err
		}
		progress := newProgress(r.err, total, time.Now())
		for {
			page, err := rows.Next(ctx, backfillBatch)
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
				progress.step(page[i].ID, time.Now())
			}
		}
		progress.end()
	}
	return out, nil
}

// page parks the events of some rows.
func (r *repair) page(ctx context.Context, rows *mapping.Backfill, page []mapping.BackfillRow, locator *mapping.Locator, ordinal *int, out *resent) error {
	var events []*mapping.Event
	for i := range page {
		if e := page[i].Event; e != nil {
			events = append(events, e)
		}
	}
	if err := locator.Locate(ctx, events); err != nil {
		return err
	}
	wanted := make([][]dispatch.Target, len(events))
	for i, e := range events {
		locator.Miss(e)
		wanted[i] = r.hooks.Match(e, nil)
	}
	if !r.want.dryRun {
		if err := rows.Render(ctx, page); err != nil {
			return err
		}
	}
	var parked []parking.Row
	now := time.Now()
	for i, e := range events {
		e.ID = mapping.ID{Commit: r.gap.To, Ordinal: *ordinal}
		*ordinal++
		for _, target := range wanted[i] {
			out.deliveries[target.Action]++
			if r.want.dryRun {
				continue
			}
			body := e.Body(target.Action, target.Payload)
			if err := out.add(target.Hook, body.Len(), int64(r.cfg.ParkMaxBytes)); err != nil {
				return err
			}
			parked = append(parked, parking.Row{
				Key: parking.Key{Hook: target.Hook, Event: e.ID}, Action: target.Action, Project: e.Project, Task: e.Task,
				Committed: e.Committed, Body: body, Added: now,
			})
		}
	}
	refused, err := r.store.Park(ctx, parked)
	out.refused += refused
	return err
}

// add counts a body, of which a hook may have no more than can be parked for it.
func (r *resent) add(hook int64, bytes int, most int64) error {
	r.bytes[hook] += int64(bytes)
	if most > 0 && r.bytes[hook] > most {
		return fmt.Errorf("hook %d would get more than can be parked for it: raise HOOKTAIL_PARK_MAX_BYTES, or switch it off for the repair", hook)
	}
	return nil
}
