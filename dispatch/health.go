package dispatch

import "time"

// failedTasks is at how many tasks a hook has to fail, without a success in between, to
// be taken to fail wholly.
const failedTasks = 3

// How far apart the probes of a failing hook are: with heads that were not tried since
// it began to fail, and with the others in turn.
const (
	untriedSoon  = time.Second // in the first minute
	untriedLater = 10 * time.Second
	triedSoon    = 30 * time.Second // in the first hour, after 1, 2, 4, 8 and 16 s
	triedLater   = 150 * time.Second
)

// health says how many requests a lane may have in flight: all that it is allowed,
// one while the hook fails wholly, the probe, and after that 2, 4, 8 … with each
// success. The lane's mu guards it.
type health struct {
	most     int
	limit    int
	failing  bool
	since    time.Time // when the hook began to fail
	probed   time.Time // when the last probe began
	untried  time.Time // when the last probe with an untried head began; zero: none was made
	inTurn   int       // number of probes with heads that had been tried
	tasks    [failedTasks]taskKey
	known    int       // number of tasks
	unwell   time.Time // when the first attempt failed since the last success
	impolite bool      // untried heads need not wait: each event has one attempt alone
}

type taskKey struct{ project, task int64 }

func newHealth(most int, impolite bool) health {
	return health{most: most, limit: most, impolite: impolite}
}

// succeeded notes a success of any kind: the hook is live.
func (h *health) succeeded() {
	h.failing, h.known = false, 0
	if h.limit < h.most {
		h.limit = min(2*h.limit, h.most)
	}
}

// revive lets the hook be tried as if it had not failed; it has not succeeded either.
func (h *health) revive() {
	h.failing, h.known = false, 0
	h.limit = min(max(h.limit, 2), h.most)
}

// failed notes that an attempt at the head of a task has failed.
func (h *health) failed(project, task int64, now time.Time) {
	if h.known == 0 {
		h.unwell = now
	}
	key := taskKey{project, task}
	for _, k := range h.tasks[:h.known] {
		if k == key {
			return
		}
	}
	if h.known < failedTasks {
		h.tasks[h.known] = key
		h.known++
	}
	if h.known == failedTasks && !h.failing {
		h.failing, h.limit = true, 1
		h.since, h.probed, h.untried, h.inTurn = now, now, time.Time{}, 0
	}
}

// nextUntried is when a head may be the probe that was not tried since the hook began
// to fail.
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

// nextTried is when a head may be the probe that has been tried.
func (h *health) nextTried(now time.Time) time.Time {
	if now.Sub(h.since) < time.Hour {
		return h.probed.Add(min(time.Second<<min(h.inTurn, 5), triedSoon))
	}
	return h.probed.Add(triedLater)
}

// look is when a delivery is tried again at the latest, while nothing is known of the
// hook but failures: it may be well.
func (h *health) look(now time.Time) time.Time {
	if now.Sub(h.unwell) < time.Hour {
		return now.Add(triedSoon)
	}
	return now.Add(triedLater)
}

// probe notes that a probe begins.
func (h *health) probe(untried bool, now time.Time) {
	h.probed = now
	if untried {
		h.untried = now
	} else {
		h.inTurn++
	}
}
