package state_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/state"
)

// TestTrimDeletesTheOldestDead: of one hook, by the time of death, and nothing that is
// parked.
func TestTrimDeletesTheOldestDead(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	park(t, store, 1, 0, 20)
	park(t, store, 2, 0, 20)
	db.Exec(t, `UPDATE "Hook""tail".parked SET state = 'dead', body = convert_to(repeat('x', 1000), 'UTF8'), dead_at = now() - make_interval(secs => abs(ordinal * 5 - task_id * 3)) WHERE task_id < 2`)
	before := stored(t, store, state.Filter{Hook: 2})
	var kept []int
	rows, err := store.List(t.Context(), state.Filter{Hook: 1, State: state.Dead})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(rows, func(a, b state.Row) int { return b.Died.Compare(a.Died) })
	dead := len(rows)
	backlogs, err := store.Backlogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if room := backlogs[0].Dead.Room(); room != int64(dead)*1256 {
		t.Errorf("room %d of %d", room, dead)
	}
	n, err := store.Trim(t.Context(), 1, 4*1256)
	if err != nil || n != int64(dead-4) {
		t.Errorf("%d of %d trimmed: %v", n, dead, err)
	}
	rows, err = store.List(t.Context(), state.Filter{Hook: 1, State: state.Dead})
	if err != nil {
		t.Fatal(err)
	}
	kept = numbers(rows)
	if len(kept) != 4 {
		t.Errorf("%v are kept", kept)
	}
	youngest := count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 1 AND state = 'dead' AND dead_at < now() - interval '6 seconds'`)
	if youngest != "0" {
		t.Errorf("%s of those kept are older than some that are not", youngest)
	}
	if got := count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 1 AND state = 'parked'`); got != count(t, db, `SELECT count(*) FROM {}.parked WHERE hook_id = 2 AND state = 'parked'`) {
		t.Errorf("%s parked ones are left", got)
	}
	if diff := cmp.Diff(before, stored(t, store, state.Filter{Hook: 2})); diff != "" {
		t.Errorf("the other hook (-before +after):\n%s", diff)
	}
}

// TestChangeOfManyRows: what people change may be more than fits one transaction.
func TestChangeOfManyRows(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	db.Exec(t, `INSERT INTO "Hook""tail".parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
		SELECT 1, '0/1', n, 1, '', '', 1, 1, now(), '{}', 2, now(), 'dead', now() FROM generate_series(1, 25000) n`)
	for _, step := range []struct {
		limit int
		want  int64
	}{{limit: 7, want: 7}, {limit: 12_000, want: 12_000}, {want: 25_000 - 12_007}, {want: 0}} {
		f := state.Filter{Hook: 1, Limit: step.limit}
		if dry, err := store.Redrive(t.Context(), f, true); err != nil || dry != step.want {
			t.Errorf("limit %d: %d would be redriven, want %d: %v", step.limit, dry, step.want, err)
		}
		if n, err := store.Redrive(t.Context(), f, false); err != nil || n != step.want {
			t.Errorf("limit %d: %d redriven, want %d: %v", step.limit, n, step.want, err)
		}
	}
	if n, err := store.Discard(t.Context(), state.Filter{}, false); err != nil || n != 25_000 {
		t.Errorf("%d discarded: %v", n, err)
	}
}

func TestRetryAsksAnew(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	told := watch(t, store)
	asked := make(map[time.Time]bool)
	ask := func(f func() error) {
		t.Helper()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		<-told
		settings, err := store.Settings(t.Context())
		if err != nil || len(settings) != 1 || settings[0].Retried.IsZero() || asked[settings[0].Retried] {
			t.Fatalf("settings %+v, %v; before %v", settings, err, asked)
		}
		asked[settings[0].Retried] = true
	}
	<-told
	for range 3 {
		ask(func() error { return store.Retry(t.Context(), 7) })
	}
	ask(func() error { return store.Resume(t.Context(), 7) })
	ask(func() error { return store.Unpause(t.Context(), 7) })
	db.Exec(t, `UPDATE "Hook""tail".hook_setting SET retry_at = now() + interval '1 year'`)
	ask(func() error { return store.Retry(t.Context(), 7) })
	db.Exec(t, `UPDATE "Hook""tail".hook_setting SET retry_at = 'infinity'`)
	ask(func() error { return store.Retry(t.Context(), 7) })
}

// TestPruneOfDeletedHooks: settings outlive their hook for a while, and a hook that comes
// back keeps them.
func TestPruneOfDeletedHooks(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	for hook := range int64(4) {
		if err := store.Pause(t.Context(), hook); err != nil {
			t.Fatal(err)
		}
	}
	prune := func(there []int64, want ...int64) {
		t.Helper()
		gone, err := store.Prune(t.Context(), there, time.Hour)
		slices.Sort(gone)
		if err != nil || !slices.Equal(gone, want) {
			t.Errorf("with %v there: %v are gone, want %v: %v", there, gone, want, err)
		}
	}
	prune(nil)
	prune([]int64{0, 1, 2}) // but 3 came back too late, and 2 comes and goes
	prune([]int64{0, 1})
	db.Exec(t, `UPDATE "Hook""tail".hook_setting SET gone_at = gone_at - interval '2 hours'`)
	prune([]int64{0, 1, 2}, 3)
	prune([]int64{0, 1})
	prune([]int64{0, 1})
	if settings, err := store.Settings(t.Context()); err != nil || len(settings) != 3 {
		t.Errorf("settings %+v, %v", settings, err)
	}
}
