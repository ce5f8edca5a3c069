package hook

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hooktail/hooktail/dispatch/state"
)

// Table is one of the hooks' tables, whatever its name in the database.
type Table string

// Tables.
const (
	Webhook       Table = "webhook"
	WebhookAction Table = "webhook_action"
	HookSetting   Table = "hook_setting" // hooktail's own
)

// RowChange is a change of one of the tables: a row was inserted or updated (Row is its
// new state) or Deleted (Row only needs its key: id or hook_id), or the table was
// Truncated (Row is nil).
type RowChange struct {
	Table     Table
	Deleted   bool
	Truncated bool
	Row       Row
	XID       uint32 // transaction; 0: a change of its own, after Load

	// Narrow states that the table lacks a required column at this place in the stream: a
	// missing value is not an unchanged TOASTed value.
	Narrow bool
}

// ErrIncomplete is returned for a change that lacks required values: see Complete.
var ErrIncomplete = errors.New("the row does not say all that is needed of it")

// Advance announces a transaction with this commit, whose Apply and Match calls follow.
// It returns true if the stream shows a history that does not lead to what Load has read:
// then call Load again.
func (h *Set) Advance(commit uint64) (lost bool) {
	if !h.catching {
		return false
	}
	h.reach(commit)
	if commit < h.end {
		return false
	}
	h.catching = false
	if len(h.hooks) != len(h.view.all()) {
		return true
	}
	for _, seen := range h.view.all() {
		if hook := h.hooks[seen.ID]; hook == nil || !hook.sendsAs(seen) {
			return true
		}
	}
	h.showAll()
	return false
}

// Apply makes one change of the stream. Changes that Load has seen may be applied again,
// in order, with the same final result. Others see them when Seen is called. A row with
// invalid values refuses its hook, or is Unreadable. The only error is ErrIncomplete, and
// then nothing has changed.
func (h *Set) Apply(change RowChange) error {
	if change.Narrow && !change.Deleted && !change.Truncated {
		return ErrIncomplete
	}
	err := h.apply(change)
	if _, missing := errors.AsType[*MissingColumnError](err); missing {
		return fmt.Errorf("%w: %w", ErrIncomplete, err)
	}
	return err
}

func (h *Set) apply(change RowChange) error {
	changed, err := h.change(change)
	if err != nil {
		return err
	}
	if h.isBehind(change.XID) {
		return nil // the view already has the later state
	}
	for _, id := range changed {
		h.unshown[id] = struct{}{}
	}
	if change.XID == 0 {
		h.settle(true)
	}
	return nil
}

// isBehind reports whether Load saw the transaction, and the stream has not yet reached
// Load's state.
func (h *Set) isBehind(xid uint32) bool { return h.catching && h.seen.saw(xid) }

// change makes the change in the set and returns the hooks that may have changed.
func (h *Set) change(change RowChange) ([]int64, error) {
	switch {
	case change.Truncated:
		return h.truncate(change.Table)
	case change.Table == Webhook && change.Deleted:
		return h.remove(change.Row)
	case change.Table == Webhook:
		return h.write(change)
	case change.Table == WebhookAction && change.Deleted:
		return h.disown(change.Row)
	case change.Table == WebhookAction:
		return h.own(h.choose(change.Row))
	case change.Table == HookSetting && change.Deleted:
		return h.unsay(change.Row)
	case change.Table == HookSetting:
		return h.say(change.Row)
	default:
		return nil, fmt.Errorf("table %s has no hooks", change.Table)
	}
}

// write inserts or updates a hook.
func (h *Set) write(change RowChange) ([]int64, error) {
	id, ok, err := h.hookID(change.Row)
	if !ok || err != nil {
		return nil, err
	}
	before := h.hooks[id]
	if before == nil && h.isBehind(change.XID) && h.view.at(id) == nil {
		return nil, nil // deleted since
	}
	hook, err := readHook(change.Row, before)
	if err != nil {
		return nil, err
	}
	h.put(hook)
	return []int64{id}, nil
}

// remove removes a hook. Its rows in the other tables are deleted separately.
func (h *Set) remove(row Row) ([]int64, error) {
	id, ok, err := h.hookID(row)
	if key, _ := keyText(row, "id"); !ok && err == nil {
		h.note(Webhook, key, "")
	}
	if !ok || err != nil {
		return nil, err
	}
	h.drop(id)
	return []int64{id}, nil
}

func (h *Set) disown(row Row) ([]int64, error) {
	id, err := keyText(row, "id")
	if err != nil {
		return nil, err
	}
	h.note(WebhookAction, id, "")
	return h.own(h.unchoose(id), nil)
}

// own updates the actions of the hooks.
func (h *Set) own(hooks []int64, err error) ([]int64, error) {
	for _, id := range hooks {
		h.touch(id)
		h.renew(id)
	}
	return hooks, err
}

// truncate empties only this table; the others are truncated separately.
func (h *Set) truncate(table Table) ([]int64, error) {
	changed := slices.Collect(maps.Keys(h.hooks))
	h.forgive(table)
	switch table {
	case Webhook:
		for _, id := range changed {
			h.drop(id)
		}
		return changed, nil
	case WebhookAction:
		for hook := range h.choices {
			h.touch(hook)
		}
		clear(h.chosen)
		clear(h.choices)
	case HookSetting:
		for hook, before := range h.settings {
			h.touch(hook)
			h.hand(hook, before, setting{})
		}
		clear(h.settings)
	}
	return h.own(changed, nil)
}

// Complete makes a change that Apply found incomplete, using the present row as read by
// q, which is not older than the change. If there is no such row, it was deleted since. A
// missing column is an error: during a migration, waiting fixes it.
func (h *Set) Complete(ctx context.Context, q state.Querier, change RowChange) error {
	key, err := keyText(change.Row, RequiredColumns(change.Table)[0])
	if err != nil { // the row's key is unknown
		return h.Load(ctx, q)
	}
	now, err := h.readRow(ctx, q, change.Table, key)
	if err != nil {
		return fmt.Errorf("complete a row of the hooks: %w", err)
	}
	change.Deleted = now == nil
	if now != nil {
		for _, column := range RequiredColumns(change.Table) {
			if _, _, ok := now.Text(column); !ok {
				return fmt.Errorf("complete a row of the hooks: %w", &MissingColumnError{column})
			}
		}
		change.Row = completed{change.Row, now}
	}
	if err := h.apply(change); err != nil {
		return fmt.Errorf("complete a row of the hooks: %w", err)
	}
	return nil
}

// completed is a row of the stream whose missing values come from now.
type completed struct{ row, now Row }

// Text returns the column's value, from the stream if it contains it.
func (c completed) Text(column string) (value string, null, ok bool) {
	if value, null, ok = c.row.Text(column); ok {
		return value, null, ok
	}
	return c.now.Text(column)
}

// Handover is an adoption or release of a hook at its place in the stream.
type Handover struct {
	Hook    int64
	Adopted bool
}

// Handovers returns those since the last call, in order, if KeepUnadopted is set.
func (h *Set) Handovers() []Handover {
	handovers := h.handovers
	h.handovers = nil
	return handovers
}

// say inserts or updates a row of hook_setting. Adoption takes effect at its place in the
// stream, together with the same transaction's changes of webhook. A change of the
// secrets is only reported.
func (h *Set) say(row Row) ([]int64, error) {
	hook, before, ok, err := h.resolve(row)
	if !ok || err != nil {
		return nil, err
	}
	return h.said(hook, before), nil
}

// unsay deletes a row of hook_setting.
func (h *Set) unsay(row Row) ([]int64, error) {
	key, err := keyText(row, "hook_id")
	if err != nil {
		return nil, err
	}
	h.note(HookSetting, key, "")
	var hook int64
	r := reader{row: row}
	r.integer("hook_id", &hook, required)
	if r.fault != "" {
		return nil, nil
	}
	before := h.settings[hook]
	delete(h.settings, hook)
	return h.said(hook, before), nil
}

func (h *Set) said(hook int64, before setting) []int64 {
	now := h.settings[hook]
	if now == before {
		return nil
	}
	h.touch(hook)
	h.hand(hook, before, now)
	h.renew(hook)
	return []int64{hook}
}

func (h *Set) hand(hook int64, before, now setting) {
	if h.o.KeepUnadopted && before.adopted != now.adopted {
		h.handovers = append(h.handovers, Handover{hook, now.adopted})
	}
}
