package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Table is one of the tables that hooks are made of, whatever its name in the
// database.
type Table string

// The tables.
const (
	Webhook       Table = "webhook"
	WebhookAction Table = "webhook_action"
	HookSetting   Table = "hook_setting" // hooktail's own
)

// RowChange is a row of one of the tables that was inserted or updated (Row is its
// new state) or Deleted (Row needs to say its key alone: id, or hook_id).
type RowChange struct {
	Table     Table
	Deleted   bool
	Row       Row
	Committed time.Time // by the clock of the database; zero: after Load
	Commit    uint64    // LSN of the commit
}

// unseen is how long after its commit a change may still be invisible to Load:
// while it waits for a synchronous standby, for example.
const unseen = time.Minute

// Apply makes one change of the stream. What Load has seen already may be
// applied again, in order; the end is the same.
func (h *Hooks) Apply(change RowChange) error {
	var id int64
	var err error
	switch {
	case change.Table == Webhook && change.Deleted:
		id, err = h.remove(change.Row)
	case change.Table == Webhook:
		id, err = h.write(change)
	case change.Table == WebhookAction && change.Deleted:
		id, err = h.unchoose(change.Row)
	case change.Table == WebhookAction:
		id, err = h.rechoose(change.Row)
	case change.Table == HookSetting:
		id, err = h.resolve(change)
	default:
		err = fmt.Errorf("table %s has no hooks", change.Table)
	}
	if err != nil {
		return fmt.Errorf("apply change of hooks: %w", err)
	}
	if id != 0 {
		h.publish(id)
	}
	return nil
}

// write inserts or updates a hook. From then on it is as the stream says, and
// wants every event that follows.
func (h *Hooks) write(change RowChange) (int64, error) {
	row := change.Row
	id, err := readID(row)
	if err != nil {
		return 0, err
	}
	before := h.hooks[id]
	hook, err := readHook(row, before)
	if err != nil {
		return 0, err
	}
	if before == nil && h.isPast(change) {
		return 0, nil
	}
	hook.since = time.Time{}
	h.put(hook)
	return id, nil
}

// isPast reports whether the change lies before Load: a hook that Load did not find
// has been deleted since, and the stream shows its past.
func (h *Hooks) isPast(change RowChange) bool {
	return !h.o.AtSlot && !change.Committed.IsZero() && change.Commit < h.end && change.Committed.Before(h.loaded.Add(-unseen))
}

func (h *Hooks) remove(row Row) (int64, error) {
	id, err := readID(row)
	if err != nil || h.hooks[id] == nil {
		return 0, err
	}
	delete(h.hooks, id)
	for choice := range h.choices[id] {
		delete(h.chosen, choice)
	}
	delete(h.choices, id)
	h.o.Metrics.forget(id)
	return id, nil
}

// rechoose inserts or updates a row of webhook_action.
func (h *Hooks) rechoose(row Row) (int64, error) {
	id, err := readID(row)
	if err != nil {
		return 0, err
	}
	before := h.chosen[id]
	if err := h.choose(row); err != nil {
		return 0, err
	}
	now := h.chosen[id]
	if before.hook != 0 && before.hook != now.hook {
		delete(h.choices[before.hook], id)
		h.renew(before.hook)
	}
	return h.renew(now.hook), nil
}

// choose notes a row of webhook_action, whether its hook is known or not.
func (h *Hooks) choose(row Row) error {
	id, err := readID(row)
	if err != nil {
		return err
	}
	c := h.chosen[id]
	r := reader{row: row, known: c.hook != 0}
	r.integer("webhook_id", &c.hook, required)
	r.parse("action", required, func(text string) { c.action = mapping.Action(text) })
	if r.err != nil {
		return fmt.Errorf("read webhook_action: %w", r.err)
	}
	h.chosen[id] = c
	if h.choices[c.hook] == nil {
		h.choices[c.hook] = make(map[int64]struct{})
	}
	h.choices[c.hook][id] = struct{}{}
	return nil
}

func (h *Hooks) unchoose(row Row) (int64, error) {
	id, err := readID(row)
	c, known := h.chosen[id]
	if err != nil || !known {
		return 0, err
	}
	delete(h.chosen, id)
	delete(h.choices[c.hook], id)
	if len(h.choices[c.hook]) == 0 {
		delete(h.choices, c.hook)
	}
	return h.renew(c.hook), nil
}

// renew gives the hook its actions anew and returns its id, 0 if there is no such
// hook.
func (h *Hooks) renew(id int64) int64 {
	hook := h.hooks[id]
	if hook == nil {
		return 0
	}
	renewed := *hook
	h.put(&renewed)
	return id
}

// actionsOf is what the hook chose, in alphabetical order.
func (h *Hooks) actionsOf(hook int64) []mapping.Action {
	var actions []mapping.Action
	for id := range h.choices[hook] {
		actions = append(actions, h.chosen[id].action)
	}
	slices.SortFunc(actions, cmp.Compare[mapping.Action])
	return actions
}

func readID(row Row) (int64, error) {
	var id int64
	r := reader{row: row}
	r.integer("id", &id, required)
	return id, r.err
}

// Truncate empties one of the two tables.
func (h *Hooks) Truncate(table Table) {
	var changed []int64
	for id := range h.hooks {
		changed = append(changed, id)
	}
	h.chosen = make(map[int64]choice)
	h.choices = make(map[int64]map[int64]struct{})
	for _, id := range changed {
		if table == Webhook {
			delete(h.hooks, id)
			h.o.Metrics.forget(id)
		} else {
			h.renew(id)
		}
	}
	h.publish(changed...)
}
