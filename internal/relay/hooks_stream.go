package relay

import (
	"context"
	"errors"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// hookTable returns which of the tables that define the hooks the relation is; ok is false if
// it is none of them.
func (p *pipeline) hookTable(r *cdc.Relation) (table hook.Table, ok bool) {
	switch {
	case r.Schema == p.cfg.SourceSchema && r.Name == p.cfg.WebhookTable:
		return hook.Webhook, true
	case r.Schema == p.cfg.SourceSchema && r.Name == p.cfg.WebhookActionTable:
		return hook.WebhookAction, true
	case r.Schema == p.cfg.StateSchema && r.Name == string(hook.HookSetting):
		return hook.HookSetting, true
	default:
		return "", false
	}
}

// applyHooks brings the hooks to their state as of the part's commit.
func (p *pipeline) applyHooks(ctx context.Context, part *cdc.Part) error {
	if p.hooks.Advance(uint64(part.Commit)) {
		if err := p.loadHooks(ctx, p.hooks); err != nil {
			return err
		}
	}
	for i := range part.Changes {
		change := &part.Changes[i]
		table, ok := p.hookTable(change.Relation)
		if !ok {
			continue
		}
		for _, c := range hookChanges(change, table, part.XID) {
			if err := p.applyHook(ctx, c); err != nil {
				return err
			}
		}
	}
	if handovers := p.hooks.Handovers(); len(handovers) > 0 {
		at := hook.Moment{Committed: part.Time, Received: part.Received, Age: part.Age}
		if p.overlap.Hand(handovers, at) {
			p.settler.Put(&wanted{})
		}
	}
	return p.note(ctx, part)
}

// note publishes the hooks, and records their settings as of this commit, before the commit can be
// confirmed: a later run can no longer read them from the tables.
func (p *pipeline) note(ctx context.Context, part *cdc.Part) error {
	seen := p.hooks.Seen(uint64(part.Commit), part.Last)
	if len(seen) == 0 {
		return nil
	}
	err := p.questions.persist(ctx, "record the hooks' settings", func(ctx context.Context) error {
		return state.WriteSeen(ctx, p.pool, p.cfg.StateSchema, p.cfg.Slot, seen)
	})
	if err == nil {
		p.hooks.Written(seen)
	}
	return err
}

// applyHook applies the change. It reads a row that the stream does not show as a whole from
// the database, and waits for a column that a migration has temporarily removed.
func (p *pipeline) applyHook(ctx context.Context, change hook.RowChange) error {
	err := p.hooks.Apply(change)
	if !errors.Is(err, hook.ErrIncomplete) {
		return err
	}
	return p.questions.persist(ctx, "read a hook", func(ctx context.Context) error {
		return p.hooks.Complete(ctx, p.pool, change)
	})
}

// hookChanges translates a row change for the hooks. A row whose key has changed is
// another hook.
func hookChanges(change *cdc.Change, table hook.Table, xid uint32) []hook.RowChange {
	if change.Op == cdc.Truncate {
		return []hook.RowChange{{Table: table, Truncated: true, XID: xid}}
	}
	gone := hook.RowChange{Table: table, Deleted: true, Row: row{change.Relation, change.Old}, XID: xid}
	if change.Op == cdc.Delete {
		return []hook.RowChange{gone}
	}
	now := hook.RowChange{Table: table, Row: row{change.Relation, change.New}, XID: xid}
	columns := hook.RequiredColumns(table)
	for _, column := range columns {
		now.Narrow = now.Narrow || change.Relation.Index(column) < 0
	}
	key := columns[0]
	before, null, ok := gone.Row.Text(key)
	if after, _, _ := now.Row.Text(key); change.Old.IsZero() || null || !ok || before == after {
		return []hook.RowChange{now}
	}
	return []hook.RowChange{gone, now}
}

// row reads a tuple by column name.
type row struct {
	relation *cdc.Relation
	tuple    cdc.Tuple
}

// Text returns the column's value; ok is false if the row does not contain the column.
func (r row) Text(column string) (value string, null, ok bool) {
	i := r.relation.Index(column)
	if i < 0 || r.tuple.Kind(i) == cdc.Unchanged {
		return "", false, false
	}
	return string(r.tuple.Text(i)), r.tuple.Kind(i) == cdc.Null, true
}
