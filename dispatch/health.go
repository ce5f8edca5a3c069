package dispatch

// How many attempts in a row have to fail, or at how many tasks, before a hook is
// taken to fail wholly.
const (
	failuresInARow = 10
	failedTasks    = 3
)

// health says how many requests a lane may have in flight: all that it is allowed,
// one while the hook fails wholly, and after that 2, 4, 8 … with each success.
type health struct {
	most     int
	limit    int
	failing  bool
	failures int // since the last success
	tasks    [failedTasks]taskKey
	known    int // of tasks
}

type taskKey struct{ project, task int64 }

func newHealth(most int) health { return health{most: most, limit: most} }

func (h *health) succeeded() {
	h.failing, h.failures, h.known = false, 0, 0
	if h.limit < h.most {
		h.limit = min(2*h.limit, h.most)
	}
}

func (h *health) failed(project, task int64) {
	h.failures++
	key, seen := taskKey{project, task}, false
	for _, k := range h.tasks[:h.known] {
		seen = seen || k == key
	}
	if !seen && h.known < failedTasks {
		h.tasks[h.known] = key
		h.known++
	}
	if h.failures >= failuresInARow || h.known == failedTasks {
		h.failing, h.limit = true, 1
	}
}
