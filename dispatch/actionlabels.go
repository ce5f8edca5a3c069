package dispatch

import (
	"slices"
	"sync"

	"github.com/hooktail/hooktail/mapping"
)

// maxCustomActions is how many custom actions are counted by name; what comes later counts
// as "other" until the program ends.
const maxCustomActions = 50

// actionLabels are the values of the label action. It is safe for concurrent use.
type actionLabels struct {
	own []mapping.Action // that every hook may have; always counted by name

	mu     sync.Mutex
	custom map[mapping.Action]bool // counted by name; guarded by mu
}

func newActionLabels() actionLabels {
	own := slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions(), []mapping.Action{"TASK_DELETED", mapping.TaskCompleted, mapping.TaskReopened})
	return actionLabels{own: own, custom: make(map[mapping.Action]bool)}
}

// of is the action as a label, or "other".
func (l *actionLabels) of(action mapping.Action) mapping.Action {
	if slices.Contains(l.own, action) {
		return action
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.custom[action] {
		if len(l.custom) == maxCustomActions {
			return other
		}
		l.custom[action] = true
	}
	return action
}
