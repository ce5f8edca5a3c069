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

func (v *view) hook(id int64) (*Hook, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	hook, ok := v.hooks[id]
	return hook, ok
}

// at returns the hook, nil if there is none.
func (v *view) at(id int64) *Hook {
	hook, _ := v.hook(id)
	return hook
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

func (v *view) put(hook *Hook) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hooks[hook.ID], v.sorted = hook, nil
}

func (v *view) drop(id int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.hooks, id)
	v.sorted = nil
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

func (v *view) onChange(watch func(hook int64)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.watch = watch
}

// rows returns the unreadable rows in order of their tables and keys.
func (v *view) rows() []Unreadable {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return slices.SortedFunc(maps.Values(v.unreadable), compareRows)
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
