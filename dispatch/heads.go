package dispatch

import (
	"slices"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// wantsHeads reports whether the store is to find heads in the tail that were not
// tried, and which: the newest for the probe of a failing hook, or any when the window
// is full of what cannot go. Call scouted with what was found.
func (w *window) wantsHeads(failing bool) (wanted state.Heads, ok bool) {
	if !w.tail || !w.scout || w.reading {
		return wanted, false
	}
	rows, most := 1, w.room.most()
	switch {
	case failing && w.schedule.size >= most:
		w.beginTail() // lets go of heads that were tried; all of it is stored
	case failing:
	case w.schedule.size < most || w.schedule.size > most+mostWindow || w.schedule.queue.len() > 0:
		return wanted, false // what comes next in the tail is of use, or nothing is
	default:
		rows = w.room.chunk()
	}
	w.reading, w.scout, w.gone = true, false, make(map[mapping.ID]struct{})
	wanted = state.Heads{Upto: w.ceiling, Rows: rows}
	known := make(map[taskKey]struct{})
	for it := range w.schedule.all() {
		if it.held {
			wanted.Passed = append(wanted.Passed, state.Task{Project: it.project, Task: it.task})
		} else if key := (taskKey{it.project, it.task}); it.state != behind {
			if _, again := known[key]; !again {
				known[key] = struct{}{}
				wanted.Known = append(wanted.Known, state.Task{Project: it.project, Task: it.task})
			}
		}
	}
	return wanted, true
}

// scouted adds the heads that wantsHeads asked for.
func (w *window) scouted(heads []*item) {
	known := w.gone
	for it := range w.schedule.all() {
		known[it.event] = struct{}{}
	}
	for _, it := range heads {
		overtaken := w.spilled || slices.ContainsFunc(w.recent, func(r *item) bool { return state.Compare(r.event, it.event) < 0 })
		if _, again := known[it.event]; again || overtaken || it.event.Commit > w.ceiling {
			w.scout = true
			continue
		}
		w.schedule.add(it)
		w.stored++
	}
	w.reading, w.recent, w.spilled, w.gone = false, nil, false, nil
}
