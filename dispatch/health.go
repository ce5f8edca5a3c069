package dispatch

import (
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// failedTasks is the number of tasks that must fail, without a success in between, for a
// hook to be failing.
const failedTasks = 3

// Pauses between probes of a failing hook: with heads not tried since it began to fail,
// and with the others in turn.
const (
	untriedSoon  = time.Second // in the first minute
	untriedLater = 10 * time.Second
	triedSoon    = 30 * time.Second // in the first hour, after 1, 2, 4, 8 and 16 s
	triedLater   = 150 * time.Second
)

// health limits the requests in flight of a lane: its full number, one (the probe) while
// the hook is failing, and then 2, 4, 8 … with each success. The lane's mu guards it.
type health struct {
	most     int
	limit    int
	failing  bool
	since    time.Time    // when the hook began to fail
	probed   time.Time    // beginning of the last probe
	untried  time.Time    // beginning of the last probe with an untried head; zero: none
	inTurn   int          // number of probes with tried heads
	tasks    []state.Task // that have failed since the last success; failedTasks are enough
	unwell   time.Time    // first failure since the last success
	impolite bool         // untried heads need not wait: each event has only one attempt
}

// succeeded records a success of any kind: the hook is live.
func (h *health) succeeded() {
	h.failing, h.tasks = false, h.tasks[:0]
	if h.limit < h.most {
		h.limit = min(2*h.limit, h.most)
	}
}

// revive lets the hook be tried as if it had not failed; it does not count as a success.
func (h *health) revive() {
	h.failing, h.tasks = false, h.tasks[:0]
	h.limit = min(max(h.limit, 2), h.most)
}

// failed records a failed attempt at the head of a task.
func (h *health) failed(task state.Task, now time.Time) {
	if len(h.tasks) == 0 {
		h.unwell = now
	}
	if len(h.tasks) == failedTasks || slices.Contains(h.tasks, task) {
		return
	}
	if h.tasks = append(h.tasks, task); len(h.tasks) == failedTasks {
		h.failing, h.limit = true, 1
		h.since, h.probed, h.untried, h.inTurn = now, now, time.Time{}, 0
	}
}

// nextUntried returns when the next probe may take a head that was not tried since the
// hook began to fail.
func (h *health) nextUntried(now time.Time) time.Time {
	switch {
	case h.impolite:
		return time.Time{}
	case now.Sub(h.since) < time.Minute:
		return h.untried.Add(untriedSoon)
	default:
		return h.untried.Add(untriedLater)
	}
}

// nextTried returns when the next probe may take a tried head.
func (h *health) nextTried(now time.Time) time.Time {
	if now.Sub(h.since) < time.Hour {
		return h.probed.Add(min(time.Second<<min(h.inTurn, 5), triedSoon))
	}
	return h.probed.Add(triedLater)
}

// look returns the latest time of a delivery's next attempt while the hook has only
// failed: it may be working again.
func (h *health) look(now time.Time) time.Time {
	if now.Sub(h.unwell) < time.Hour {
		return now.Add(triedSoon)
	}
	return now.Add(triedLater)
}

func (h *health) probe(untried bool, now time.Time) {
	h.probed = now
	if untried {
		h.untried = now
	} else {
		h.inTurn++
	}
}
