package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// orphan is the part of a transaction that an event keeps while it waits for the stream
// to show its project's deletion.
type orphan struct {
	tx  *cdc.Tx
	xid uint32
}

const (
	orphansShare = 16 // orphans may hold 1/orphansShare of HOOKTAIL_MEMORY
	orphansLook  = 500 * time.Millisecond
)

// next returns parts from the stream. While orphans wait, it also checks how far the
// server has read: nothing more may arrive beyond the position that they wait for.
func (p *pipeline) next(ctx context.Context) ([]*cdc.Part, error) {
	for p.orphans.Len() > 0 {
		read := p.stream.Stats().ServerEnd
		looking, cancel := context.WithTimeout(ctx, orphansLook)
		parts, err := p.stream.Next(looking)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return parts, err
		}
		if stats := p.stream.Stats(); stats.Connected && !stats.Held && stats.Reading.Changes == 0 {
			p.reclaim(read)
		}
	}
	return p.stream.Next(ctx)
}

// hold keeps an event whose project was deleted before it could be looked up, until the
// stream has shown the deletion and everything of that project before it; else it returns false.
func (p *pipeline) hold(part *cdc.Part, event *mapping.Event) bool {
	until, ahead := p.locator.IsAhead(event)
	if ahead {
		part.Tx.Hold(1)
		if p.orphans.Hold(event, until, orphan{part.Tx, part.XID}) {
			return true
		}
		part.Tx.Done()
	}
	p.locator.Miss(event)
	return false
}

// reclaim passes on the orphans whose organization is known now, and those whose
// organization cannot become known, because the stream has been read up to there.
func (p *pipeline) reclaim(read cdc.LSN) {
	p.orphans.Take(read, p.mapper.OrganizationOf, func(event *mapping.Event, of orphan) {
		defer of.tx.Done()
		p.locator.Miss(event)
		p.want(event, of.tx, &rows{part: &cdc.Part{XID: of.xid}})
	})
}

// events maps the part. If it has messages that the known keys do not prove, events asks
// for newer keys. If a table lacks a column that the rules need, events waits
// until the table has it again, and then maps as much of the part as its rows allow.
func (p *pipeline) events(ctx context.Context, part *cdc.Part) ([]*mapping.Event, error) {
	p.mapped = part
	events, err := p.mapper.Events(part, nil)
	if errors.Is(err, mapping.ErrUnproven) {
		err = p.questions.persist(ctx, "read the secret of custom events", func(ctx context.Context) error {
			keys, err := state.EmitKeys(ctx, p.pool, p.cfg.StateSchema)
			if err == nil {
				p.mapper.Trust(keys)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		events, err = p.mapper.Events(part, nil)
	}
	if !is[*mapping.MissingColumnError](err) {
		return events, err
	}
	if err := p.questions.persist(ctx, "find the columns that the rules need", p.locator.CheckTables); err != nil {
		return nil, err
	}
	p.mapper.Tolerate()
	return p.mapper.Events(part, nil)
}

// isWanted reports whether a hook may want the action in the part being mapped: one does
// now, the part changes hooks, or all events are published.
func (p *pipeline) isWanted(action mapping.Action) bool {
	return p.hooks.IsWanted(action) || p.news.publishes() || slices.ContainsFunc(p.mapped.Changes, func(c cdc.Change) bool {
		_, ok := p.hookTable(c.Relation)
		return ok
	})
}
