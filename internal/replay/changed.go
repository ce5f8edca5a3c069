package replay

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// changed reads the rows that were created or updated since a time.
type changed struct {
	db       mapping.Database
	mapping  mapping.Options
	project  int64 // 0: all
	since    time.Time
	progress func(total int64) Progress // called for each action, when its rows have been counted
}

// page has some rows of one action, and their events with their organizations.
type page struct {
	all    *mapping.Backfill
	rows   []mapping.BackfillRow
	events []*mapping.Event
}

// each calls f for all pages: of projects, then of tasks, then of annotations.
func (c *changed) each(ctx context.Context, f func(context.Context, *page) error) error {
	locator := mapping.NewLocator(c.db, c.mapping)
	for _, action := range mapping.BackfillActions() {
		rows, err := mapping.NewBackfill(c.db, c.mapping, action, mapping.BackfillRows{Project: c.project, Since: c.since, Changed: true})
		if err != nil {
			return err
		}
		if err := c.of(ctx, rows, locator, f); err != nil {
			return err
		}
	}
	return nil
}

// of calls f for all pages of one action.
func (c *changed) of(ctx context.Context, all *mapping.Backfill, locator *mapping.Locator, f func(context.Context, *page) error) error {
	total, err := all.Begin(ctx)
	if err != nil {
		return err
	}
	progress := c.progress(total)
	defer progress.End()
	for {
		rows, err := all.Next(ctx, BackfillBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		p := &page{all: all, rows: rows}
		for i := range rows {
			if e := rows[i].Event; e != nil {
				p.events = append(p.events, e)
			}
		}
		if err := locator.Locate(ctx, p.events); err != nil {
			return err
		}
		for _, e := range p.events {
			locator.Miss(e)
		}
		if err := f(ctx, p); err != nil {
			return err
		}
		for i := range rows {
			progress.Step(rows[i].ID, time.Now())
		}
	}
}
