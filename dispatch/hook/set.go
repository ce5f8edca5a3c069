package hook

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"

	"github.com/hooktail/hooktail/mapping"
)

// Set holds the hooks: the rows of webhook, webhook_action and hook_setting as of the
// place up to which the stream was read. One goroutine calls Load, Recall, Advance,
// Apply, Complete, Match, IsWanted, Handovers, Seen and Written, in the order of the
// stream; Hook, All and Unreadable are safe for concurrent use.
//
// Load reads the present rows, whose earlier changes the stream may still show. Until the
// stream has caught up, events are matched by the rows as of the stream's place, but all
// other users see the newest rows: requests go to the hook's present URL. What a hook
// wanted at the stream's place is recalled, see Recall.
type Set struct {
	o Options
	rows
	index   index
	changes uint64 // number of the last change that affects what is sent

	seen     snapshot // transactions that Load saw
	end      uint64   // end of the WAL after Load
	catching bool     // the stream has not reached end

	memory    memory
	handovers []Handover
	unshown   map[int64]struct{} // hooks that the present transaction has changed, see settle
	view      view
}

// Options configures a Set. All fields but Log may be zero.
type Options struct {
	Schema             string // schema of the application's tables; default public
	WebhookTable       string // default webhook
	WebhookActionTable string // default webhook_action

	// StateSchema is the schema of hook_setting; "": it does not exist, and no hook is
	// adopted.
	StateSchema string
	Deliver     Deliver // which hooks are served

	// KeepUnadopted makes Match return hooks that may be adopted, too, for the Overlap.
	// It only applies to DeliverAdopted.
	KeepUnadopted bool

	// AtSlot states that Load reads with the snapshot of the slot's creation: the stream
	// then begins exactly after the rows.
	AtSlot bool

	// Actions are all known actions, so that metrics of hooks that want them start at 0.
	// Nil: the seven of the webhooks guide.
	Actions []mapping.Action

	Log     *slog.Logger
	Counter Counter // nil: nothing is counted
}

// Counter is called with the existing hooks, in the goroutine that calls Apply and Load.
type Counter interface {
	// Begin is called for a hook that is new or has changed what it sends. actions are
	// all known ones.
	Begin(hook *Hook, actions []mapping.Action)
	// Forget is called when a hook is deleted.
	Forget(id int64)
	// Keep is called with all existing hooks: others are deleted.
	Keep(hooks map[int64]*Hook)
}

// NewSet returns an empty Set.
func NewSet(o Options) *Set {
	o.Schema = cmp.Or(o.Schema, "public")
	o.WebhookTable = cmp.Or(o.WebhookTable, "webhook")
	o.WebhookActionTable = cmp.Or(o.WebhookActionTable, "webhook_action")
	if o.Actions == nil {
		o.Actions = mapping.Guide.Actions()
	}
	o.KeepUnadopted = o.KeepUnadopted && o.Deliver == DeliverAdopted
	return &Set{
		o: o, rows: newRows(o.Deliver), index: newIndex(nil, o.KeepUnadopted), unshown: make(map[int64]struct{}),
		view: view{hooks: make(map[int64]*Hook)},
	}
}

// Hook returns the newest known state of the hook.
func (h *Set) Hook(id int64) (*Hook, bool) {
	hook := h.view.at(id)
	return hook, hook != nil
}

// All returns all hooks, active or not, in order of id. The slice is read-only.
func (h *Set) All() []*Hook { return h.view.all() }

// Unreadable returns the rows that belong to no hook, since they cannot be read.
func (h *Set) Unreadable() []Unreadable {
	h.view.mu.RLock()
	defer h.view.mu.RUnlock()
	return slices.SortedFunc(maps.Values(h.view.unreadable), compareRows)
}

// put makes hook the current one with its id, at this place in the stream.
func (h *Set) put(hook *Hook) {
	before := h.hooks[hook.ID]
	h.hooks[hook.ID] = h.finished(hook)
	h.index.replace(before, hook, h.o.KeepUnadopted)
	h.touch(hook.ID)
}

func (h *Set) drop(id int64) {
	h.index.replace(h.hooks[id], nil, h.o.KeepUnadopted)
	delete(h.hooks, id)
	h.touch(id)
}

// renew updates the hook from its rows in the other tables.
func (h *Set) renew(id int64) {
	if hook := h.hooks[id]; hook != nil {
		renewed := *hook
		h.put(&renewed)
	}
}

// show publishes the hook's state, or its deletion, to the view, and calls the watcher if
// this affects what is sent.
func (h *Set) show(id int64) {
	hook, before := h.hooks[id], h.view.at(id)
	switch {
	case hook == nil && before == nil:
		return
	case hook == nil:
		h.view.put(id, nil)
		if h.o.Counter != nil {
			h.o.Counter.Forget(id)
		}
		h.view.tell(id)
		return
	}
	revised, told := *hook, true
	if before != nil && hook.sendsAs(before) {
		revised.revision, told = before.revision, !hook.Choice.texts().Equal(before.Choice.texts())
		if !told && hook.CreatedAt.Equal(before.CreatedAt) {
			return
		}
	} else {
		h.changes++
		revised.revision = h.changes
	}
	h.hooks[id] = &revised
	h.index.replace(&revised, &revised, h.o.KeepUnadopted)
	h.view.put(id, &revised)
	if told {
		h.announce(&revised, before)
		h.view.tell(id)
	}
}

// settle publishes the changes of a transaction. In between, a hook may be missing that the
// transaction inserts again, or have a url that it corrects: nothing may be dropped for that.
// Unless the transaction is whole, a hook that is missing now waits for its end; the others do
// not, since events of the same transaction may be for them.
func (h *Set) settle(whole bool) {
	if len(h.unshown) > 0 { // seldom
		for _, id := range slices.Sorted(maps.Keys(h.unshown)) {
			if whole || h.hooks[id] != nil {
				h.show(id)
				delete(h.unshown, id)
			}
		}
	}
	h.showUnreadable()
}

// announce logs that hooktail cannot send to the hook, and starts its metrics.
func (h *Set) announce(hook, before *Hook) {
	if before == nil {
		before = new(Hook)
	}
	if hook.IsRefused() && before.Fault != hook.Fault {
		h.o.Log.Error("Webhook refused: hooktail cannot send to it",
			"hook", hook.ID, "reason", hook.Refused.String(), "fault", hook.Fault, "remedy", hook.Refused.Remedy())
	}
	if faults := hook.Choice.orEmpty().Faults; len(faults) > 0 && !slices.Equal(faults, before.Choice.orEmpty().Faults) {
		h.o.Log.Error("Unusable setting of a webhook: the webhook is served without it",
			"hook", hook.ID, "faults", faults, "remedy", "correct it: hooktail hooks set")
	}
	if h.o.Counter != nil {
		h.o.Counter.Begin(hook, h.o.Actions)
	}
}

// showAll publishes the whole set to the view.
func (h *Set) showAll() {
	for _, hook := range slices.Concat(sortedHooks(h.hooks), h.view.all()) {
		h.show(hook.ID)
	}
	h.showUnreadable()
}

// showUnreadable publishes the unreadable rows, and logs new ones.
func (h *Set) showUnreadable() {
	if !h.noted {
		return
	}
	h.noted = false
	for _, row := range h.view.setRows(h.unreadable) {
		h.o.Log.Error("Row of a hook table cannot be read and is ignored",
			"table", string(row.Table), "key", row.Key, "fault", row.Fault, "remedy", BadRow.Remedy())
	}
}

// OnChange sets a function that is called after each change of a hook that affects what
// is sent, in the goroutine that makes the change.
func (h *Set) OnChange(watch func(hook int64)) {
	h.view.mu.Lock()
	defer h.view.mu.Unlock()
	h.view.watch = watch
}
