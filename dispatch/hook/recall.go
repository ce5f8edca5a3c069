package hook

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// The stream begins at a place at which the hooks differ from those read by Load: one may
// have been deactivated, released or narrowed to fewer actions since, or not have existed
// yet. Whenever the events that a hook wants change, they are recorded, to be recalled by
// a later run.

// facts are the events that a hook wants, row by row.
type facts struct {
	Gone         bool                      `json:"gone,omitempty"` // the hook does not exist, but has rows
	Organization int64                     `json:"organization"`
	Project      int64                     `json:"project,omitempty"`
	Active       bool                      `json:"active"`
	Adopted      bool                      `json:"adopted,omitempty"`
	AllActions   bool                      `json:"all_actions"`
	Payload      bool                      `json:"payload"`
	Unbound      bool                      `json:"unbound,omitempty"`
	Chosen       map[string]mapping.Action `json:"chosen,omitempty"` // by id of webhook_action
	Added        []mapping.Action          `json:"added,omitempty"`
	Removed      []mapping.Action          `json:"removed,omitempty"`
	Filter       string                    `json:"filter,omitempty"`
}

// memory holds what is known of the hooks' past, and what has been recorded.
type memory struct {
	kept    bool // recording is enabled
	changed map[int64]struct{}
	written map[int64]uint64 // checksums of recorded facts, by hook; no entry: the hook did not exist
	later   []state.Seen     // states that the stream has not reached yet, in order
}

// Recall restores what the hooks wanted where the stream begins, as returned by
// HooksSeen. If known is false, they have always wanted what they want now. Afterwards
// Seen returns what must be recorded.
func (h *Set) Recall(seen []state.Seen, known bool) error {
	h.memory = memory{kept: true, changed: make(map[int64]struct{}), written: make(map[int64]uint64)}
	if !known {
		for id := range h.hooks {
			h.memory.changed[id] = struct{}{}
		}
		return nil
	}
	h.catching = true
	h.memory.later = slices.Clone(seen)
	slices.SortStableFunc(h.memory.later, func(a, b state.Seen) int { return cmp.Compare(a.LSN, b.LSN) })
	h.index = index{}                                   // built once, at the end
	mentioned := make(map[int64]struct{}, len(h.hooks)) // the hooks that have any row
	for _, ids := range []iter.Seq[int64]{maps.Keys(h.hooks), maps.Keys(h.choices), maps.Keys(h.settings)} {
		for id := range ids {
			mentioned[id] = struct{}{}
		}
	}
	for id := range mentioned {
		if err := h.recall(id, nil); err != nil {
			return err
		}
	}
	h.reach(0)
	h.index = newIndex(h.hooks, h.o.KeepUnadopted)
	h.Written(seen) // the last one of each hook counts
	clear(h.memory.changed)
	return nil
}

// recall restores the earlier state of a hook; gone if it did not exist.
func (h *Set) recall(id int64, wanted []byte) error {
	for row := range maps.Clone(h.choices[id]) {
		h.unchoose(row)
	}
	f := facts{Gone: wanted == nil}
	if !f.Gone {
		if err := json.Unmarshal(wanted, &f); err != nil {
			return fmt.Errorf("recall hook %d: %w", id, err)
		}
	}
	for row, action := range f.Chosen {
		h.add(row, choice{id, action})
	}
	setting := h.settings[id]
	setting.adopted = f.Adopted
	setting.choice = f.choice(setting.choice)
	h.assign(id, setting)
	now := h.view.at(id)
	if f.Gone || now == nil { // there was no hook, or there is none now
		h.drop(id)
		return nil
	}
	hook := *now // the destination of requests remains the present one
	hook.Organization, hook.Project = f.Organization, f.Project
	hook.Active, hook.AllActions, hook.SendPayload, hook.unbound = f.Active, f.AllActions, f.Payload, f.Unbound
	h.put(&hook)
	return nil
}

// reach restores the hooks' states as of this commit: the stream does not repeat what
// precedes its beginning.
func (h *Set) reach(commit uint64) {
	for len(h.memory.later) > 0 && h.memory.later[0].LSN <= commit {
		s := h.memory.later[0]
		h.memory.later = h.memory.later[1:]
		if err := h.recall(s.Hook, s.Wanted); err != nil {
			h.o.Log.Debug("cannot read the recorded state of a hook", "hook", s.Hook, "error", err)
		}
	}
}

// Seen must be called after the changes of each part of a transaction; last states that no
// other part follows. It returns what hooks want from this commit on and is not recorded
// yet, in order of their ids; Written confirms the recording. Nothing of the commit may be
// confirmed before.
func (h *Set) Seen(commit uint64, last bool) []state.Seen {
	h.settle(last)
	if len(h.memory.changed) == 0 {
		return nil
	}
	var seen []state.Seen
	for _, id := range slices.Sorted(maps.Keys(h.memory.changed)) {
		s := state.Seen{Hook: id, LSN: commit, Wanted: h.factsOf(id)}
		if before, there := h.memory.written[id]; there == (s.Wanted != nil) && before == fingerprint(s.Wanted) {
			delete(h.memory.changed, id)
			continue
		}
		seen = append(seen, s)
	}
	return seen
}

// Written states that these have been recorded.
func (h *Set) Written(seen []state.Seen) {
	for _, s := range seen {
		delete(h.memory.changed, s.Hook)
		if h.memory.written[s.Hook] = fingerprint(s.Wanted); s.Wanted == nil {
			delete(h.memory.written, s.Hook)
		}
	}
}

// touch notes that the hook may want other events.
func (h *Set) touch(id int64) {
	if h.memory.kept {
		h.memory.changed[id] = struct{}{}
	}
}

// factsOf returns what the hook wants, nil if it has no row.
func (h *Set) factsOf(id int64) []byte {
	hook := h.hooks[id]
	f := facts{Adopted: h.settings[id].adopted, Chosen: make(map[string]mapping.Action)}
	c := h.settings[id].choice.texts()
	f.Added, f.Removed, f.Filter = c.Added, c.Removed, c.Filter
	switch {
	case hook != nil:
		f.Organization, f.Project = hook.Organization, hook.Project
		f.Active, f.AllActions, f.Payload, f.Unbound = hook.Active, hook.AllActions, hook.SendPayload, hook.unbound
	case len(h.choices[id]) == 0 && !f.Adopted && f.choice(nil) == nil:
		return nil
	default:
		f.Gone = true
	}
	for row := range h.choices[id] {
		f.Chosen[row] = h.chosen[row].action
	}
	text, err := json.Marshal(f)
	if err != nil {
		return nil // strings and numbers can always be encoded
	}
	return text
}

// choice returns the recorded choice of events, with the present form of requests.
func (f *facts) choice(now *Choice) *Choice {
	c := now.texts()
	c.Added, c.Removed, c.Filter = f.Added, f.Removed, f.Filter
	return now.become(c)
}
