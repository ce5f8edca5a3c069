package hook

import (
	"cmp"
	"log/slog"
	"slices"

	"github.com/hooktail/hooktail/mapping"
)

// Set is the hooks, as the rows of webhook, webhook_action and hook_setting
// are at the place in the stream that has been read. One goroutine calls Load, Recall,
// Advance, Apply, Complete, Match, IsWanted, Handovers, Seen and Written, in the order of the stream; Hook, All and
// Unreadable are safe for concurrent use.
//
// Load reads the rows as they are now, and the stream may still show the way there. Until
// it has, events are matched by the rows of the stream's place, while everybody else sees
// the newest: a request goes where the hook points now. What a hook wanted at that place is
// recalled, see Recall.
type Set struct {
	o Options
	rows
	index   index
	changes uint64 // number of the last change that decides what is sent

	seen     snapshot // what Load saw
	end      uint64   // of the WAL after Load
	catching bool     // the stream has not reached end

	memory    memory
	handovers []Handover
	view      view
}

// Options is what a Set needs. The zero value of each field but Log is fine.
type Options struct {
	Schema             string // of the application's tables; "" is public
	WebhookTable       string // "" is webhook
	WebhookActionTable string // "" is webhook_action

	// StateSchema is where hook_setting is; "": there is none, and no hook is adopted.
	StateSchema string
	Deliver     Deliver // which hooks are served

	// KeepUnadopted says that Match names also the hooks that somebody may adopt, for the
	// Overlap. It has a meaning for DeliverAdopted alone.
	KeepUnadopted bool

	// AtSlot says that Load reads under the snapshot that the slot was made with:
	// the stream then begins exactly where the rows end.
	AtSlot bool

	// Actions are those that there are, for the metrics of hooks that want them to
	// start at 0. Nil are the seven of the webhooks guide.
	Actions []mapping.Action

	Log     *slog.Logger
	Counter Counter // nil: nobody counts
}

// Counter is told of the hooks that there are, by the goroutine that calls Apply and Load.
type Counter interface {
	// Begin is called for a hook that is new or sends in another way. The actions are those
	// that there are.
	Begin(hook *Hook, actions []mapping.Action)
	// Forget is called when a hook is gone.
	Forget(id int64)
	// Keep is called with all hooks that there are: others are gone.
	Keep(hooks map[int64]*Hook)
}

// nobody counts nothing.
type nobody struct{}

// Begin does nothing.
func (nobody) Begin(*Hook, []mapping.Action) {}

// Forget does nothing.
func (nobody) Forget(int64) {}

// Keep does nothing.
func (nobody) Keep(map[int64]*Hook) {}

// NewSet is an empty Set.
func NewSet(o Options) *Set {
	o.Schema = cmp.Or(o.Schema, "public")
	o.WebhookTable = cmp.Or(o.WebhookTable, "webhook")
	o.WebhookActionTable = cmp.Or(o.WebhookActionTable, "webhook_action")
	if o.Counter == nil {
		o.Counter = nobody{}
	}
	if o.Actions == nil {
		o.Actions = mapping.Guide.Actions()
	}
	o.KeepUnadopted = o.KeepUnadopted && o.Deliver == DeliverAdopted
	h := &Set{o: o, rows: newRows(o.Deliver)}
	h.index = newIndex(nil, o.KeepUnadopted)
	h.view.hooks = make(map[int64]*Hook)
	return h
}

// Hook is the hook as far as it is known now.
func (h *Set) Hook(id int64) (*Hook, bool) { return h.view.hook(id) }

// All is every hook, active or not, in order of id. The slice is read-only.
func (h *Set) All() []*Hook { return h.view.all() }

// Unreadable is the rows that belong to no hook, since they cannot be read.
func (h *Set) Unreadable() []Unreadable { return h.view.rows() }

// put makes hook the current one of its id, at this place in the stream.
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

// renew gives the hook what its rows in the other tables say now.
func (h *Set) renew(id int64) {
	if hook := h.hooks[id]; hook != nil {
		renewed := *hook
		h.put(&renewed)
	}
}

// withRevision is the hook under that revision.
func (h *Hook) withRevision(revision uint64) *Hook {
	if h.revision == revision {
		return h
	}
	revised := *h
	revised.revision = revision
	return &revised
}

// show lets everybody see the hook as it is in the set, or that it is gone, and tells who
// watches it if that changes what is sent.
func (h *Set) show(id int64) {
	hook, before := h.hooks[id], h.view.at(id)
	switch {
	case hook == nil && before == nil:
		return
	case hook == nil:
		h.view.drop(id)
		h.o.Counter.Forget(id)
	case before != nil && hook.sendsAs(before):
		if hook.CreatedAt.Equal(before.CreatedAt) {
			return
		}
		hook = hook.withRevision(before.revision)
		h.hooks[id] = hook
		h.index.replace(hook, hook, h.o.KeepUnadopted)
		h.view.put(hook)
		return
	default:
		h.changes++
		hook = hook.withRevision(h.changes)
		h.hooks[id] = hook
		h.index.replace(hook, hook, h.o.KeepUnadopted)
		h.view.put(hook)
		h.announce(hook, before)
	}
	h.view.tell(id)
}

// announce logs that nothing can be sent to the hook, and lets its metrics begin.
func (h *Set) announce(hook, before *Hook) {
	if hook.IsRefused() && (before == nil || before.Fault != hook.Fault) {
		h.o.Log.Error("Webhook refused: hooktail cannot send to it",
			"hook", hook.ID, "reason", hook.Refused.String(), "fault", hook.Fault, "remedy", hook.Refused.Remedy())
	}
	if faults := hook.faults(); len(faults) > 0 && !slices.Equal(faults, before.faults()) {
		h.o.Log.Error("Choice for a webhook cannot be used: the webhook is served without it",
			"hook", hook.ID, "faults", faults, "remedy", "correct it: hooktail hooks set")
	}
	h.o.Counter.Begin(hook, h.o.Actions)
}

// showAll lets everybody see the whole set.
func (h *Set) showAll() {
	for _, hook := range sortedHooks(h.hooks) {
		h.show(hook.ID)
	}
	for _, hook := range h.view.all() {
		h.show(hook.ID)
	}
	h.showUnreadable()
}

// showUnreadable lets everybody see which rows cannot be read, and logs those that are
// new.
func (h *Set) showUnreadable() {
	if !h.noted {
		return
	}
	h.noted = false
	for _, row := range h.view.setRows(h.unreadable) {
		h.o.Log.Error("Row of the hooks cannot be read: it is left out",
			"table", string(row.Table), "key", row.Key, "fault", row.Fault, "remedy", BadRow.Remedy())
	}
}

// OnChange has watch called after each change of a hook that decides what is sent, from
// the goroutine that made it.
func (h *Set) OnChange(watch func(hook int64)) { h.view.onChange(watch) }
