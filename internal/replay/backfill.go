package replay

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// BackfillOptions selects the events and the hook. All but After, Every and DryRun are
// required.
type BackfillOptions struct {
	Config  config.Config
	Version string // program version, for receivers
	Parked  *wiring.Parked
	Mapping mapping.Options
	Rows    *mapping.Backfill // not yet begun

	Hook    int64
	Project int64         // of the rows
	After   int64         // only rows with a greater id
	Every   time.Duration // pause between requests
	DryRun  bool          // send nothing

	Progress func(total int64) Progress // called once, after the rows have been counted
}

// Backfill makes events of rows and sends them to one hook, one at a time.
type Backfill struct {
	*recipient
	o            BackfillOptions
	organization int64 // of the project

	Last int64 // all rows up to this id are done
}

// NewBackfill counts the rows and makes sure that the hook wants their events. The
// caller closes it.
func NewBackfill(ctx context.Context, o BackfillOptions) (*Backfill, error) {
	total, err := o.Rows.Begin(ctx)
	if err != nil {
		return nil, err
	}
	to, err := newRecipient(o.Parked, o.Config, o.Version, o.Hook, o.Every)
	if err != nil {
		return nil, err
	}
	b := &Backfill{recipient: to, o: o, Last: o.After}
	to.dryRun, to.wants, to.progress = o.DryRun, b.wants, o.Progress(total)
	e := &mapping.Event{Action: mapping.ProjectUpdated, Project: o.Project}
	switch err = mapping.NewLocator(b.Pool, o.Mapping).Locate(ctx, []*mapping.Event{e}); {
	case err != nil:
	case e.Organization == 0:
		err = fmt.Errorf("there is no project %d", o.Project)
	default:
		b.organization = e.Organization
		err = b.renew(ctx)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// BackfillBatch bounds the rows in memory.
const BackfillBatch = 50

// Run sends the events of all rows, in the order of their ids.
func (b *Backfill) Run(ctx context.Context) error {
	defer b.progress.End()
	for {
		rows, err := b.o.Rows.Next(ctx, BackfillBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if !b.dryRun {
			if err := b.renew(ctx); err != nil {
				return err
			}
		}
		if !b.dryRun || b.hook.IsFiltered() {
			if err := b.o.Rows.Render(ctx, rows); err != nil {
				return err
			}
		}
		for i := range rows {
			if err := b.refresh(ctx); err != nil {
				return err
			}
			if err := b.row(ctx, &rows[i]); err != nil {
				return err
			}
			b.Last = rows[i].ID
			b.progress.Step(b.Last, time.Now())
		}
	}
}

// row sends the row's event if the hook wants it.
func (b *Backfill) row(ctx context.Context, row *mapping.BackfillRow) error {
	var target hook.Target
	wanted := false
	if row.Event != nil {
		target, wanted = b.target(row.Event.Action)
	}
	if !wanted {
		b.Passed++
		return nil
	}
	return b.deliver(ctx, fmt.Sprintf("row %d", row.ID), row.Event, target, func() send.Message {
		m := send.Message{
			ID:        row.EventID(),
			LSN:       "0/0", // PostgreSQL's form for none
			Committed: row.Updated.UTC().Format(mapping.CommittedLayout),
			Origin:    "backfill",
			Body:      row.Event.Body(target.Action, target.Payload),
			Action:    target.Action, Project: row.Event.Project, Task: row.Event.Task,
		}
		row.Event = nil // at most one body is held twice
		return m
	})
}

// wants makes sure that the hook, as just read, wants the events.
func (b *Backfill) wants() error {
	if _, wanted := b.target(b.o.Rows.Action()); !wanted {
		return fmt.Errorf("hook %d does not get %s of project %d: it is inactive, belongs to another project, or has not selected the action (see `hooktail hooks list`)",
			b.hook.ID, b.o.Rows.Action(), b.o.Project)
	}
	return nil
}

// target returns how the hook gets events of the action at present.
func (b *Backfill) target(action mapping.Action) (target hook.Target, wanted bool) {
	target, wanted = b.hook.TargetOf(&mapping.Event{Action: action, Organization: b.organization, Project: b.o.Project})
	return target, wanted && b.hook.Served()
}
