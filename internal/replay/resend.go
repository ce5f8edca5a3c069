package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// gapSlack extends the time before the gap in which rows count as changed: created_at and
// updated_at come from the application's clock, and precede the commit.
const gapSlack = time.Minute

// Resent counts the deliveries made from the tables.
type Resent struct {
	Deliveries map[mapping.Action]int `json:"deliveries,omitempty"`
	Refused    int                    `json:"refused,omitempty"` // those that the database refused
}

// ResendOptions selects the events and the hooks. All but Most and DryRun are required.
type ResendOptions struct {
	Parked  *wiring.Parked
	Mapping mapping.Options
	Hooks   *hook.Set
	Since   time.Time // beginning of the gap
	To      cdc.LSN   // end of the gap
	Most    int64     // bound of bytes parked for a hook; 0: no bound
	DryRun  bool      // only count

	Progress func(total int64) Progress // called for each action, after its rows have been counted
}

// resend is one run of Resend.
type resend struct {
	ResendOptions
	out     *Resent
	bytes   map[int64]int64 // parked, by hook
	ordinal int             // ordinal of the next event
}

// Resend makes events of the rows that were created or updated since the gap began, and
// parks them for the hooks that want them.
func Resend(ctx context.Context, o ResendOptions) (*Resent, error) {
	r := &resend{ResendOptions: o, out: &Resent{Deliveries: map[mapping.Action]int{}}, bytes: map[int64]int64{}}
	if !o.DryRun {
		if err := o.Parked.Store.Withdraw(ctx, mapping.ID{Commit: o.To}); err != nil {
			return nil, err
		}
	}
	rows := changed{db: o.Parked.Pool, mapping: o.Mapping, since: o.Since.Add(-gapSlack), progress: o.Progress}
	if err := rows.each(ctx, r.page); err != nil {
		return nil, err
	}
	return r.out, nil
}

// page parks the events of one page of rows.
func (r *resend) page(ctx context.Context, p *page) error {
	wanted := make([][]hook.Target, len(p.events))
	for i, e := range p.events {
		wanted[i] = r.Hooks.Match(e, nil)
	}
	isFiltered := func(targets []hook.Target) bool {
		return slices.ContainsFunc(targets, func(t hook.Target) bool { return t.Filter != nil })
	}
	if !r.DryRun || slices.ContainsFunc(wanted, isFiltered) {
		if err := p.all.Render(ctx, p.rows); err != nil {
			return err
		}
	}
	var parked []state.Row
	now := time.Now()
	for i, e := range p.events {
		e.ID = mapping.ID{Commit: r.To, Ordinal: r.ordinal}
		r.ordinal++
		for _, target := range hook.Sift(e, wanted[i], passing{}) {
			r.out.Deliveries[target.Action]++
			if r.DryRun {
				continue
			}
			body := e.Body(target.Action, target.Payload)
			r.bytes[target.Hook] += int64(body.Len() + state.RowBytes)
			if r.Most > 0 && r.bytes[target.Hook] > r.Most {
				return fmt.Errorf("hook %d would exceed the bound of its parked deliveries: raise HOOKTAIL_PARK_MAX_BYTES, or deactivate the hook during the repair", target.Hook)
			}
			parked = append(parked, state.Row{
				Key: state.Key{Hook: target.Hook, Event: e.ID}, Action: target.Action, Project: e.Project, Task: e.Task,
				Committed: e.Committed, Body: body, Added: now,
			})
		}
	}
	refused, err := r.Parked.Store.Park(ctx, parked)
	r.out.Refused += refused
	return err
}
