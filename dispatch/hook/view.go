package hook

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// view is the newest state of the hooks, for all but the reader of the stream. It is safe
// for concurrent use.
type view struct {
	mu         sync.RWMutex
	hooks      map[int64]*Hook       // guarded by mu
	sorted     []*Hook               // the same in order of id; nil: not built yet; guarded by mu
	unreadable map[rowKey]Unreadable // guarded by mu
	watch      func(hook int64)      // nil: none; guarded by mu
}

// at returns the hook, nil if there is none.
func (v *view) at(id int64) *Hook {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.hooks[id]
}

func (v *view) all() []*Hook {
	v.mu.RLock()
	sorted := v.sorted
	v.mu.RUnlock()
	if sorted != nil {
		return sorted
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sorted = sortedHooks(v.hooks)
	return v.sorted
}

// sortedHooks returns the hooks in order of id, never nil.
func sortedHooks(hooks map[int64]*Hook) []*Hook {
	sorted := slices.AppendSeq(make([]*Hook, 0, len(hooks)), maps.Values(hooks))
	slices.SortFunc(sorted, func(a, b *Hook) int { return cmp.Compare(a.ID, b.ID) })
	return sorted
}

// put replaces the hook with that id; nil: there is none.
func (v *view) put(id int64, hook *Hook) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sorted = nil
	if v.hooks[id] = hook; hook == nil {
		delete(v.hooks, id)
	}
}

// tell calls the watcher.
func (v *view) tell(id int64) {
	v.mu.RLock()
	watch := v.watch
	v.mu.RUnlock()
	if watch != nil {
		watch(id)
	}
}

// setRows replaces the unreadable rows and returns the new ones.
func (v *view) setRows(rows map[rowKey]Unreadable) []Unreadable {
	v.mu.Lock()
	defer v.mu.Unlock()
	var added []Unreadable
	for key, row := range rows {
		if v.unreadable[key] != row {
			added = append(added, row)
		}
	}
	v.unreadable = maps.Clone(rows)
	slices.SortFunc(added, compareRows)
	return added
}
