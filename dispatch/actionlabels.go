package dispatch

import (
	"slices"
	"sync"

	"github.com/hooktail/hooktail/mapping"
)

// maxCustomActions is the number of custom actions counted by name; later ones count as
// "other" until the program ends.
const maxCustomActions = 50

// actionLabels are the values of the metric label action. It is safe for concurrent use.
type actionLabels struct {
	own []mapping.Action // actions that every hook may get; always counted by name

	mu     sync.Mutex
	custom map[mapping.Action]bool // counted by name; guarded by mu
}

// of returns the action as a label, or "other".
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
