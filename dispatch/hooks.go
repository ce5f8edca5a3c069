package dispatch

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Hooks is the set of hooks, as the rows of webhook, webhook_action and hook_setting
// are at the place in the stream that has been read. One goroutine calls Load, Apply and
// Match, in the order of the stream; Hook is safe for concurrent use.
type Hooks struct {
	o HooksOptions
	set
	changes uint64

	current atomic.Pointer[index]
	mu      sync.Mutex // guards watch
	watch   func(hook int64)
}

// HooksOptions is what Hooks needs. The zero value of each field but Log is fine.
type HooksOptions struct {
	Schema             string // of the application's tables; "" is public
	WebhookTable       string // "" is webhook
	WebhookActionTable string // "" is webhook_action

	// StateSchema is where hook_setting is; "": there is none, and no hook is adopted.
	StateSchema string
	Deliver     Deliver // which hooks are served

	// AtSlot says that Load reads under the snapshot that the slot was made with:
	// the stream then begins exactly where the rows end.
	AtSlot bool

	// Actions are those that there are, for the metrics of hooks that want them to
	// start at 0. Nil are the seven of the webhooks guide.
	Actions []mapping.Action

	Log     *slog.Logger
	Metrics *Metrics // nil counts nothing
}

// set is the rows.
type set struct {
	hooks   map[int64]*Hook
	chosen  map[int64]choice             // by id of webhook_action
	choices map[int64]map[int64]struct{} // ids of webhook_action, by hook
	adopted map[int64]bool               // by hook; no false
	loaded  time.Time                    // when the rows were read, by the clock of the database
	end     uint64                       // where its WAL ended after that
}

// choice is a row of webhook_action.
type choice struct {
	hook   int64
	action mapping.Action
}

// NewHooks is an empty set.
func NewHooks(o HooksOptions) *Hooks {
	o.Schema = or(o.Schema, "public")
	o.WebhookTable = or(o.WebhookTable, "webhook")
	o.WebhookActionTable = or(o.WebhookActionTable, "webhook_action")
	if o.Actions == nil {
		o.Actions = mapping.Guide.Actions()
	}
	h := &Hooks{o: o, set: newSet(time.Time{})}
	h.current.Store(newIndex(nil))
	return h
}

func newSet(loaded time.Time) set {
	return set{
		hooks:   make(map[int64]*Hook),
		chosen:  make(map[int64]choice),
		choices: make(map[int64]map[int64]struct{}),
		adopted: make(map[int64]bool),
		loaded:  loaded,
	}
}

// Hook is the hook as it is now.
func (h *Hooks) Hook(id int64) (*Hook, bool) {
	hook, ok := h.current.Load().byID[id]
	return hook, ok
}

// All is every hook, active or not, in order of id.
func (h *Hooks) All() []*Hook { return h.current.Load().all }

// put makes hook the current one of its id; the index has to be renewed after it.
func (h *Hooks) put(hook *Hook) {
	before, _ := h.Hook(hook.ID)
	h.changes++
	hook.revision = h.changes
	hook.Actions = h.actionsOf(hook.ID)
	hook.Adopted = h.adopted[hook.ID]
	hook.served = h.o.Deliver.serves(hook)
	h.hooks[hook.ID] = hook
	if hook.Refused != ReasonNone && (before == nil || before.Fault != hook.Fault) {
		h.o.Log.Error("Webhook refused: nothing can be sent to it",
			"hook", hook.ID, "reason", hook.Refused.String(), "fault", hook.Fault, "remedy", hook.Refused.remedy())
	}
	metrics := h.o.Metrics.hook(hook.ID)
	metrics.begin(hook, h.o.Actions)
	metrics.enter(hook.state()) // a lane of the hook knows better, and is told
}

// publish makes the changes visible to Match and Hook, and tells who watches
// these hooks.
func (h *Hooks) publish(changed ...int64) {
	h.current.Store(newIndex(h.hooks))
	h.mu.Lock()
	watch := h.watch
	h.mu.Unlock()
	if watch == nil {
		return
	}
	for _, id := range changed {
		watch(id)
	}
}

// onChange has watch called after each change of a hook, from the goroutine that
// made it.
func (h *Hooks) onChange(watch func(hook int64)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watch = watch
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
