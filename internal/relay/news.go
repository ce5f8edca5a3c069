package relay

import (
	"context"
	"slices"
	"sync"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/mapping"
)

// news tells senders of changed hooks. The goroutine of run collects the changes, that of deliver
// passes them to the writer.
type news struct {
	writer *natslog.Writer
	topic  *natslog.Topic // nil: there is none
	hooks  []int64        // changed by the present transaction

	mu      sync.Mutex
	changes []hookChange // not told yet; guarded by mu
}

// hookChange is a change of a hook by a transaction, whose Tx waits for it.
type hookChange struct {
	hook   int64
	xid    uint32
	commit cdc.LSN
	tx     *cdc.Tx
}

// newNews returns the news of a term. The first is that any hook may have changed: what has changed
// before the term has read the hooks does not change them in the stream.
func newNews(writer *natslog.Writer, topic *natslog.Topic) *news {
	const all = 0
	return &news{writer: writer, topic: topic, hooks: []int64{all}}
}

// changed records that a hook has changed.
func (n *news) changed(hook int64) {
	if !slices.Contains(n.hooks, hook) {
		n.hooks = append(n.hooks, hook)
	}
}

// add adds the part's changes and reports whether there were any. The position does not advance
// until they are in the log. The events of later parts are settled after that.
func (n *news) add(part *cdc.Part) bool {
	if n == nil || len(n.hooks) == 0 {
		return false
	}
	part.Tx.Hold(len(n.hooks))
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, hook := range n.hooks {
		n.changes = append(n.changes, hookChange{hook, part.XID, part.Commit, part.Tx})
	}
	n.hooks = n.hooks[:0]
	return true
}

// tell has the writer write the changes before the next events, when their transactions are
// visible: a sender that reads of a change reads the hooks.
func (n *news) tell(ctx context.Context, await func(ctx context.Context, xids []uint32) error) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	changes := n.changes
	n.changes = nil
	n.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	var xids []uint32
	for _, c := range changes {
		if c.xid != 0 {
			xids = append(xids, c.xid)
		}
	}
	if err := await(ctx, xids); err != nil {
		return err
	}
	for _, c := range changes {
		n.writer.Change(c.hook, c.commit, c.tx.Done)
	}
	return nil
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
