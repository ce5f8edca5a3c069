package state_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// mixed stores 0 to 9 of hook 1, of which 6 to 9 are dead, and 0 and 1 of hook 2.
func mixed(t *testing.T, store *state.Store) {
	t.Helper()
	park(t, store, 1, 0, 10)
	park(t, store, 2, 0, 2)
	created := delivery(3, 0)
	created.Action = mapping.TaskCreated
	apply(t, store, state.Batch{Insert: []state.Row{created}, Bury: []state.Attempt{
		{Key: delivery(1, 6).Key, Attempts: 5, LastResult: "4xx", LastStatus: 422, Reason: "rejected"},
		{Key: delivery(1, 7).Key, Attempts: 5, LastResult: "4xx", LastStatus: 413, Reason: "rejected"},
		{Key: delivery(1, 8).Key, Attempts: 50, LastResult: "refused", Reason: "exhausted"},
		{Key: delivery(1, 9).Key, Attempts: 50, LastResult: "refused", Reason: "exhausted"},
	}})
}

func TestFilters(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	mixed(t, store)
	tests := []struct {
		name string
		in   state.Filter
		want []int
	}{
		{"all", state.Filter{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 0}},
		{"hook", state.Filter{Hook: 2}, []int{0, 1}},
		{"event", state.Filter{Event: event(1)}, []int{1, 1}},
		{"hook and event", state.Filter{Hook: 2, Event: event(1)}, []int{1}},
		{"action", state.Filter{Action: mapping.TaskCreated}, []int{0}},
		{"dead", state.Filter{State: state.Dead}, []int{6, 7, 8, 9}},
		{"parked", state.Filter{Hook: 1, State: state.Parked}, []int{0, 1, 2, 3, 4, 5}},
		{"since", state.Filter{Hook: 1, Since: begin.Add(8 * time.Second)}, []int{8, 9}},
		{"until", state.Filter{Hook: 1, Until: begin.Add(2 * time.Second)}, []int{0, 1}},
		{"task", state.Filter{Hook: 1, Task: 2}, []int{2, 5, 8}},
		{"annotation", state.Filter{Hook: 1, Annotation: 8}, []int{8}},
		{"reason", state.Filter{Reason: "exhausted"}, []int{8, 9}},
		{"limit", state.Filter{State: state.Dead, Limit: 2}, []int{6, 7}},
		{"none", state.Filter{Hook: 2, State: state.Dead}, nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, stored(t, store, tt.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestShow(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	mixed(t, store)
	for _, tt := range []struct {
		name string
		hook int64
		n    int
		want int
	}{{"one hook", 1, 0, 1}, {"all hooks", 0, 0, 3}, {"not there", 2, 5, 0}} {
		rows, err := store.Show(t.Context(), tt.hook, event(tt.n))
		if err != nil || len(rows) != tt.want {
			t.Fatalf("%s: %d rows, error %v", tt.name, len(rows), err)
		}
		for _, r := range rows {
			if string(r.Body.Bytes()) != string(delivery(1, tt.n).Body.Bytes()) {
				t.Errorf("%s: body %q", tt.name, r.Body.Bytes())
			}
		}
	}
}

func TestRedrive(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	mixed(t, store)
	empty := delivery(1, 20)
	empty.Body, empty.State, empty.Reason = mapping.Body{}, state.Dead, "suspended"
	apply(t, store, state.Batch{Insert: []state.Row{empty}})

	if n, err := store.Redrive(t.Context(), state.Filter{Hook: 1}, true); err != nil || n != 4 {
		t.Fatalf("dry run: %d, error %v", n, err)
	}
	if got := stored(t, store, state.Filter{State: state.Dead}); len(got) != 5 {
		t.Fatalf("dead after a dry run: %v", got)
	}
	if n, err := store.Redrive(t.Context(), state.Filter{Reason: "rejected", State: state.Parked}, false); err != nil || n != 2 {
		t.Fatalf("redriven: %d, error %v", n, err)
	}
	if n, err := store.Redrive(t.Context(), state.Filter{Limit: 1}, false); err != nil || n != 1 {
		t.Fatalf("redriven with limit: %d, error %v", n, err)
	}
	if diff := cmp.Diff([]int{9, 20}, stored(t, store, state.Filter{State: state.Dead})); diff != "" {
		t.Errorf("dead (-want +got):\n%s", diff)
	}
	tail, err := store.Tail(t.Context(), state.Part{Hook: 1, Rows: 100})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8}, numbers(tail)); diff != "" {
		t.Errorf("tail (-want +got):\n%s", diff)
	}
	if r := tail[6]; r.Attempts != 0 || r.Reason != "" || !r.Died.IsZero() || !r.Next.IsZero() || time.Since(r.Added) > time.Minute {
		t.Errorf("redriven row %+v", r)
	}

	redriven, err := store.Redriven(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{6, 7}, numbers(redriven)); diff != "" {
		t.Errorf("redriven (-want +got):\n%s", diff)
	}
	if err := store.Taken(t.Context(), []state.Key{redriven[0].Key, redriven[1].Key}); err != nil {
		t.Fatal(err)
	}
	if rest, err := store.Redriven(t.Context(), 10); err != nil || len(rest) != 1 {
		t.Errorf("%d are left, error %v", len(rest), err)
	}
}

func TestDiscard(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	mixed(t, store)
	for _, tt := range []struct {
		name string
		in   state.Filter
		dry  bool
		n    int64
		left int
	}{
		{"dry run", state.Filter{}, true, 13, 13},
		{"dry run with limit", state.Filter{Limit: 3}, true, 3, 13},
		{"dead with limit", state.Filter{State: state.Dead, Limit: 3}, false, 3, 10},
		{"dead", state.Filter{State: state.Dead}, false, 1, 9},
		{"a hook", state.Filter{Hook: 2}, false, 2, 7},
		{"an event", state.Filter{Event: event(0)}, false, 2, 5},
	} {
		n, err := store.Discard(t.Context(), tt.in, tt.dry)
		if err != nil || n != tt.n {
			t.Errorf("%s: %d, error %v, want %d", tt.name, n, err, tt.n)
		}
		if got := stored(t, store, state.Filter{}); len(got) != tt.left {
			t.Errorf("%s: %v are left", tt.name, got)
		}
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	mixed(t, store)
	db.Exec(t, `UPDATE "Hook""tail".parked SET dead_at = now() - interval '31 days' WHERE reason = 'rejected'`)
	db.Exec(t, `UPDATE "Hook""tail".parked SET parked_at = now() - interval '31 days' WHERE state = 'parked'`)
	if n, err := store.Expire(t.Context(), 720*time.Hour); err != nil || n != 2 {
		t.Errorf("expired %d, error %v", n, err)
	}
	if diff := cmp.Diff([]int{8, 9}, stored(t, store, state.Filter{State: state.Dead})); diff != "" {
		t.Errorf("dead (-want +got):\n%s", diff)
	}
	if got := stored(t, store, state.Filter{State: state.Parked}); len(got) != 9 {
		t.Errorf("parked: %v", got)
	}
}

// fill stores n deliveries of the state for hook 1.
func fill(t *testing.T, db *cdctest.Database, n int, of state.State) {
	t.Helper()
	db.Exec(t, `INSERT INTO "Hook""tail".parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
		SELECT 1, '0/0'::pg_lsn + i, 1, 1, i, 'A', 1, i, now(), '{}', 2, now(), $2::text, CASE WHEN $2::text = 'dead' THEN now() END FROM generate_series(1, $1::int) AS i`, n, of)
}

// TestChangeOfRowsThatAreBeingUpdated: a person's change of deliveries that somebody updates
// meanwhile, as a running hooktail does with each attempt, waits for them, and then changes them
// and all that follow.
func TestChangeOfRowsThatAreBeingUpdated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		rows   state.State
		change func(s *state.Store, ctx context.Context, f state.Filter, dryRun bool) (int64, error)
		left   string
	}{
		{"discard", state.Parked, (*state.Store).Discard, "state = 'parked'"},
		{"redrive", state.Dead, (*state.Store).Redrive, "state = 'dead'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t)
			const n = 25_000
			fill(t, db, n, tt.rows)
			person := db.Connect(t)
			if _, err := person.Exec(t.Context(), `BEGIN; UPDATE "Hook""tail".parked SET attempts = attempts + 1 WHERE commit_lsn = '0/5'`); err != nil {
				t.Fatal(err)
			}
			waits := make(chan struct{})
			var once sync.Once
			store := waiting(t, db, state.Wait{Notice: 50 * time.Millisecond, Bound: time.Minute, Tell: func(string) { once.Do(func() { close(waits) }) }})
			var changed int64
			done := make(chan error, 1)
			go func() {
				var err error
				changed, err = tt.change(store, t.Context(), state.Filter{Hook: 1}, false)
				done <- err
			}()
			select {
			case <-waits:
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			}
			if _, err := person.Exec(t.Context(), "COMMIT"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil || changed != n {
				t.Errorf("%d are changed, error %v, want %d", changed, err, n)
			}
			if left := count(t, db, `SELECT count(*) FROM "Hook""tail".parked WHERE `+tt.left); left != "0" {
				t.Errorf("%s are left", left)
			}
		})
	}
}

// TestPages: a list of any length is that of List, and few deliveries of it are held at a time.
func TestPages(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	const most = 5000
	db.Exec(t, `INSERT INTO "Hook""tail".parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
		SELECT h, '0/0'::pg_lsn + i / 7 + 1, i % 7 / 2, i % 2, i, 'A', 1, i, now(), '{}', 2, now() FROM generate_series(0, 6999) AS i, unnest('{-4, 1, 3}'::int[]) AS h`)
	for _, f := range []state.Filter{
		{},
		{Limit: 1},
		{Limit: most},
		{Limit: most + 1},
		{Limit: 2 * most},
		{Limit: 100_000},
		{Hook: 1},
		{Hook: -4, Limit: 6000},
		{Hook: 5},
		{State: state.Dead},
		{Event: mapping.ID{Timeline: 1, Commit: 1, Ordinal: 0}},
	} {
		want, err := store.List(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		got := []state.Row{}
		if err := store.Pages(t.Context(), f, func(rows []state.Row) error {
			if len(rows) > most {
				t.Errorf("%+v: %d rows at a time", f, len(rows))
			}
			got = append(got, rows...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v (-List +Pages):\n%s", f, diff)
		}
	}
}

// TestRedrivenAreTakenByTheirKeys: a few of many redriven deliveries are taken without reading the
// others, though the server's statistics know nothing of them. Until all are taken, a running
// hooktail does not see what else people change.
func TestRedrivenAreTakenByTheirKeys(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	const n = 20_000
	fill(t, db, n, state.Dead)
	db.Exec(t, `VACUUM (ANALYZE) "Hook""tail".parked`)
	if changed, err := newStore(t, db).Redrive(t.Context(), state.Filter{}, false); err != nil || changed != n {
		t.Fatalf("%d are redriven, error %v", changed, err)
	}
	pool := openPool(t, db.DSN)
	store := state.New(state.Options{Pool: pool, Schema: schema})
	const few = 1000
	rows, err := store.Redriven(t.Context(), few)
	if err != nil || len(rows) != few {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	keys := make([]state.Key, few)
	for i := range rows {
		keys[i] = rows[i].Key
	}
	if err := store.Taken(t.Context(), keys); err != nil {
		t.Fatal(err)
	}
	pool.Close() // a session that ends tells what it has read
	read := 0
	for read < few {
		text := db.QueryText(t, `SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'parked_redriven'`)
		if _, err := fmt.Sscan(text, &read); err != nil {
			t.Fatal(err)
		}
	}
	if left := count(t, db, `SELECT count(*) FROM {}.parked WHERE redriven`); left != "19000" {
		t.Errorf("%s are left", left)
	}
	if read > n/2 {
		t.Errorf("%d entries of the index were read", read)
	}
}
