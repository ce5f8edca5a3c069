package main

import "context"

// tenHooks sends each annotation to ten hooks; the null pipeline posts it ten times.
func tenHooks(ctx context.Context, b *bench) error {
	n := b.size(6000, 2000)
	return b.repeat(ctx, plan{reps: b.reps(3, 1), tasks: n, hooks: 10}, func(s *stage, rep int) error {
		return s.backlog(ctx, "ten", rep, n)
	})
}

// compared has hooktail deliver a backlog of as many rows as there are tasks on each variant
// of the plan.
func (b *bench) compared(ctx context.Context, scenario string, p plan) error {
	return b.repeat(ctx, p, func(s *stage, rep int) error {
		return s.turns(ctx, rep, p.tasks, drained{scenario: scenario, of: hooktail, name: s.variant})
	})
}

// tenFilters sends each annotation to ten hooks, without filters and with filters that all
// of them pass.
func tenFilters(ctx context.Context, b *bench) error {
	return b.compared(ctx, "filters", plan{reps: b.reps(5, 1), tasks: b.size(6000, 2000), hooks: 10, variants: []variant{
		{name: "without"},
		{name: "filters", sql: `INSERT INTO hooktail.hook_setting (hook_id, filter)
			SELECT id, 'annotation.completed_by != ' || -id || ' && annotation.result.size() > 0' FROM webhook
			ON CONFLICT (hook_id) DO UPDATE SET filter = excluded.filter`},
	}})
}

// thousandHooks compares one hook that wants the events with the same one among 999
// that do not: a third belong to another project, a third want another action, and a third
// are inactive.
func thousandHooks(ctx context.Context, b *bench) error {
	const n = 30_000 // with fewer, the start with a thousand hooks would show
	others := hooksAt(b.receiver.address(), 2, 1000, "i % 3 <> 1, i % 3 <> 2, CASE WHEN i % 3 = 0 THEN 2 END")
	return b.compared(ctx, "thousand", plan{reps: b.reps(5, 2), tasks: n, hooks: 1, variants: []variant{
		{name: "one hook"}, {name: "1000 hooks", sql: others},
	}})
}
