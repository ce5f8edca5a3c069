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

// Progress is called for each finished row.
type Progress interface {
	Step(id int64, now time.Time)
	End()
}

// Backfill makes events of rows and sends them to one hook, one at a time.
type Backfill struct {
	*recipient
	o            BackfillOptions
	organization int64 // of the project
	progress     Progress
	targets      map[mapping.Action]hook.Target // the hook's targets, by action

	Events   int   // delivered; in a dry run, to be delivered
	Passed   int   // rows without an event for the hook
	Filtered int   // events that the hook's filter leaves out
	Last     int64 // all rows up to this id are done
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
	b := &Backfill{recipient: to, o: o, Last: o.After, progress: o.Progress(total)}
	to.wants = b.wants
	if b.organization, err = b.organizationOf(ctx); err == nil {
		err = b.renew(ctx)
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close closes the connections to the receiver.
func (b *Backfill) Close() { b.sender.Close() }

// organizationOf returns the project's organization; a missing project is an error.
func (b *Backfill) organizationOf(ctx context.Context) (int64, error) {
	e := &mapping.Event{Action: mapping.ProjectUpdated, Project: b.o.Project}
	if err := mapping.NewLocator(b.Pool, b.o.Mapping).Locate(ctx, []*mapping.Event{e}); err != nil {
		return 0, err
	}
	if e.Organization == 0 {
		return 0, fmt.Errorf("there is no project %d", b.o.Project)
	}
	return e.Organization, nil
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
		if !b.o.DryRun {
			if err := b.renew(ctx); err != nil {
				return err
			}
		}
		if !b.o.DryRun || b.hook.IsFiltered() {
			if err := b.o.Rows.Render(ctx, rows); err != nil {
				return err
			}
		}
		for i := range rows {
			if !b.o.DryRun && b.isOld() {
				if err := b.renew(ctx); err != nil {
					return err
				}
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
	switch {
	case !wanted:
		b.Passed++
		return nil
	case len(hook.Sift(row.Event, []hook.Target{target}, passing{})) == 0:
		b.Filtered++
		return nil
	case !b.o.DryRun:
		if err := b.send(ctx, row, target); err != nil {
			return err
		}
	}
	b.Events++
	return nil
}

// send sends the row's event.
func (b *Backfill) send(ctx context.Context, row *mapping.BackfillRow, target hook.Target) error {
	m := send.Message{
		ID:        row.EventID(),
		LSN:       "0/0", // PostgreSQL's form for none
		Committed: row.Updated.UTC().Format(mapping.CommittedLayout),
		Origin:    "backfill",
		Body:      row.Event.Body(target.Action, target.Payload),
		Action:    target.Action, Project: row.Event.Project, Task: row.Event.Task,
	}
	row.Event = nil // at most one body is held twice
	return b.recipient.send(ctx, fmt.Sprintf("row %d", row.ID), m)
}

// wants makes sure that the hook, as just read, wants the events.
func (b *Backfill) wants() error {
	b.targets = map[mapping.Action]hook.Target{}
	if _, wanted := b.target(b.o.Rows.Action()); !wanted {
		return fmt.Errorf("hook %d does not get %s of project %d: it is inactive, belongs to another project, or has not selected the action (see `hooktail hooks list`)",
			b.hook.ID, b.o.Rows.Action(), b.o.Project)
	}
	return nil
}

// target returns how the hook wants events of the action at present.
func (b *Backfill) target(action mapping.Action) (target hook.Target, wanted bool) {
	if target, wanted = b.targets[action]; wanted {
		return target, true
	}
	const skew = time.Hour // tolerated difference of the clocks: the hook may be new
	event := &mapping.Event{Action: action, Organization: b.organization, Project: b.o.Project, Committed: time.Now().Add(skew)}
	for _, t := range b.hooks.Match(event, nil) {
		if t.Hook == b.hook.ID {
			b.targets[action] = t
			return t, true
		}
	}
	return target, false
}
