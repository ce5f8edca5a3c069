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
		{name: "played", what: "the recorded calls with their own pauses: from the last commit to arrival", run: played},
		{name: "ten", what: "ten hooks for all actions", run: tenHooks},
		{name: "filters", what: "ten hooks, without filters and with one each", run: tenFilters},
		{name: "thousand", what: "one hook, alone and among 999 that want something else", run: thousandHooks},
		{name: "dead", what: "nine hooks, alone and beside one that is dead", run: deadHook},
		{name: "parking", what: "a backlog that is delivered, parked, and delivered from there", run: parking},
		{name: "database", what: "statements and WAL of hooktail's own", run: database, settings: map[string]string{
			"shared_preload_libraries": "pg_stat_statements",
		}},
		{name: "application", what: "what saving an annotation costs with hooktail, an outbox, NOTIFY", run: application},
		{name: "bulk", what: "a million tasks in one transaction", run: bulk},
		{name: "memory", what: "peak memory with tasks of 400 KB, 200,000 annotations at once, 500,000 parked deliveries", run: memory},
		{name: "many", what: "one hook among 10,000: its start, its memory, and how long it takes to adopt all", run: tenThousandHooks},
		{name: "sick", what: "300 hooks that hang, refuse, and come back at once: peak memory", run: sickHooks},
		{name: "kill", what: "kill -9 at 500 annotations a second: what is sent again", run: kill},
		{name: "price", what: "what a log costs in between: a backlog and a trickle, with it and without", run: price},
		{name: "scale", what: "one, two and four senders, and 400 hooks that take 100 ms", run: scale},
		{name: "soak", what: "a long run at a modest rate", run: soak, apart: true},
	}
}
