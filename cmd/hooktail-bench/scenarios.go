package main

import "context"

// scenario is one load, or several that belong together.
type scenario struct {
	name     string
	what     string
	apart    bool              // not run unless asked for
	settings map[string]string // of the server
	run      func(ctx context.Context, b *bench) error
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{name: "burst", what: "annotations, a transaction each: a backlog of them, and live", run: burst},
		{name: "trickle", what: "annotations at 200 a second: from commit to arrival", run: trickle},
	}
}
