package main

import (
	"context"
	"fmt"
)

// tenHooks sends each annotation to ten hooks; the null pipeline posts it ten times.
func tenHooks(ctx context.Context, b *bench) error {
	n := b.size(6000, 2000)
	s, err := b.stage(ctx, n, 10)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for rep := range b.reps(3, 1) {
		if err := s.turns(ctx, rep, n, []drained{
			{scenario: "ten", of: null, hooks: 10}, {scenario: "ten", of: hooktail, hooks: 10},
		}); err != nil {
			return err
		}
	}
	return nil
}

// tenFilters sends each annotation to ten hooks, without filters and with filters that all
// of them pass.
func tenFilters(ctx context.Context, b *bench) error {
	n := b.size(6000, 2000)
	plain, err := b.stage(ctx, n, 10)
	if err != nil {
		return err
	}
	defer plain.close(ctx)
	filtered, err := b.stage(ctx, n, 10)
	if err != nil {
		return err
	}
	defer filtered.close(ctx)
	if err := filtered.exec(ctx, `INSERT INTO hooktail.hook_setting (hook_id, filter)
		SELECT id, 'annotation.completed_by != ' || -id || ' && annotation.result.size() > 0' FROM webhook
		ON CONFLICT (hook_id) DO UPDATE SET filter = excluded.filter`); err != nil {
		return err
	}
	for rep := range b.reps(5, 1) {
		stages := []*stage{plain, filtered}
		if rep%2 == 1 {
			stages = []*stage{filtered, plain}
		}
		for _, s := range stages {
			name := map[*stage]string{plain: "without", filtered: "filters"}[s]
			if err := s.turns(ctx, rep, n, []drained{{scenario: "filters", of: hooktail, name: name, hooks: 10}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// thousandHooks compares one hook that wants the events with the same one among 999
// that do not: a third belong to another project, a third want another action, and a third
// are inactive.
func thousandHooks(ctx context.Context, b *bench) error {
	const n = 30_000 // with fewer, the start with a thousand hooks would show
	one, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer one.close(ctx)
	thousand, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer thousand.close(ctx)
	if err := thousand.exec(ctx, fmt.Sprintf(`
		INSERT INTO webhook (id, url, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at, organization_id, project_id)
			SELECT i, '%s', true, i %% 3 <> 1, '{}', i %% 3 <> 2, now(), now(), 1, CASE WHEN i %% 3 = 0 THEN 2 END FROM generate_series(2, 1000) i;
		INSERT INTO webhook_action (action, webhook_id) SELECT 'PROJECT_CREATED', id FROM webhook WHERE NOT send_for_all_actions`,
		b.receiver.url(2))); err != nil {
		return err
	}
	for rep := range b.reps(5, 2) {
		stages := []*stage{one, thousand}
		if rep%2 == 1 {
			stages = []*stage{thousand, one}
		}
		for _, s := range stages {
			name := map[*stage]string{one: "one hook", thousand: "1000 hooks"}[s]
			if err := s.turns(ctx, rep, n, []drained{{scenario: "thousand", of: hooktail, name: name, hooks: 1}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// turns makes a backlog of n annotations, which each of these delivers.
func (s *stage) turns(ctx context.Context, rep, n int, takers []drained) error {
	for i := range takers {
		if err := s.open(ctx, &takers[i]); err != nil {
			return err
		}
		takers[i].rep = rep
	}
	first := s.annotations(n)
	if err := s.annotate(ctx, first, n); err != nil {
		return err
	}
	for i := range takers {
		if err := s.drain(ctx, takers[(i+rep)%len(takers)], first, n); err != nil {
			return err
		}
	}
	return nil
}
