package relay

import (
	"slices"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/mapping"
)

// news collects the changed hooks of a transaction for the log. The goroutine of take uses it.
type news struct {
	writer *natslog.Writer
	topic  *natslog.Topic // nil: there is none
	hooks  []int64        // changed by the present transaction
}

// changed records that a hook has changed.
func (n *news) changed(hook int64) {
	if !slices.Contains(n.hooks, hook) {
		n.hooks = append(n.hooks, hook)
	}
}

// tell passes the part's changes to the writer and reports whether there were any. The
// position does not advance until they are in the log.
func (n *news) tell(part *cdc.Part) bool {
	if n == nil || len(n.hooks) == 0 {
		return false
	}
	part.Tx.Hold(len(n.hooks))
	for _, hook := range n.hooks {
		n.writer.Change(hook, part.Commit, part.Tx.Done)
	}
	n.hooks = n.hooks[:0]
	return true
}

// missing returns the targets for which the log does not have the event, and the topic.
func (n *news) missing(e *mapping.Event, targets []hook.Target) []hook.Target {
	if n == nil {
		return targets
	}
	targets = slices.DeleteFunc(targets, func(t hook.Target) bool { return !t.Kept && n.writer.Has(e.ID, t.Hook) })
	if n.topic != nil && e.Project != 0 {
		targets = append(targets, n.topic.Target(e))
	}
	return targets
}

// publishes reports whether every event is published, wanted or not.
func (n *news) publishes() bool { return n != nil && n.topic != nil }
