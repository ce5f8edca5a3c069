package state_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

func TestParkedComesBackAsItWas(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	want := delivery(7, 3)
	want.Attempts, want.LastResult, want.LastStatus, want.Next = 2, "5xx", 503, begin.Add(time.Hour)
	apply(t, store, state.Batch{Insert: []state.Row{want, delivery(8, 3)}})

	got, err := store.Show(t.Context(), 7, want.Event)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d rows, error %v", len(got), err)
	}
	want.State, want.Bytes = state.Parked, want.Body.Len()
	if diff := cmp.Diff(want, got[0], cmpopts.IgnoreFields(state.Row{}, "Stored")); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
	if got[0].Stored.IsZero() {
		t.Error("no time of parking")
	}
}

func TestParkingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	park(t, store, 1, 0, 3)
	apply(t, store, state.Batch{Bury: []state.Attempt{{Key: delivery(1, 1).Key, Attempts: 5, Reason: "rejected"}}})
	before, err := store.List(t.Context(), state.Filter{})
	if err != nil {
		t.Fatal(err)
	}

	again := delivery(1, 1)
	again.Body, again.Attempts = mapping.BodyOf([]byte("another")), 0
	apply(t, store, state.Batch{Insert: []state.Row{delivery(1, 0), again, delivery(1, 2)}})
	after, err := store.List(t.Context(), state.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("rows (-before +after):\n%s", diff)
	}
}

func TestApplyUpdatesBuriesAndDeletes(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	park(t, store, 1, 0, 5)
	dead := delivery(1, 5)
	dead.State, dead.Reason, dead.Attempts = state.Dead, "blocked", 1
	next := begin.Add(time.Minute)
	apply(t, store, state.Batch{
		Insert: []state.Row{dead},
		Update: []state.Attempt{
			{Key: delivery(1, 1).Key, Attempts: 3, Next: next, LastResult: "timeout"},
			{Key: delivery(1, 99).Key, Attempts: 3}, // not there
			{Key: delivery(2, 1).Key, Attempts: 3},  // another hook's
		},
		Bury:   []state.Attempt{{Key: delivery(1, 2).Key, Attempts: 5, LastResult: "4xx", LastStatus: 422, Reason: "rejected"}},
		Delete: []state.Key{delivery(1, 3).Key, delivery(2, 0).Key},
	})
	rows, err := store.List(t.Context(), state.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 4, 5}, numbers(rows)); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	if r := rows[1]; r.Attempts != 3 || !r.Next.Equal(next) || r.LastResult != "timeout" || r.State != state.Parked {
		t.Errorf("updated row %+v", r)
	}
	if r := rows[2]; r.State != state.Dead || r.Reason != "rejected" || r.LastStatus != 422 || r.Attempts != 5 || r.Died.IsZero() {
		t.Errorf("buried row %+v", r)
	}
	if r := rows[4]; r.State != state.Dead || r.Reason != "blocked" || r.Died.IsZero() {
		t.Errorf("row dead from the start %+v", r)
	}
	// What is dead is not changed by a late answer.
	apply(t, store, state.Batch{Update: []state.Attempt{{Key: delivery(1, 2).Key, Attempts: 9}}})
	if rows, _ := store.List(t.Context(), state.Filter{Event: event(2)}); rows[0].Attempts != 5 {
		t.Errorf("a dead row has %d attempts now", rows[0].Attempts)
	}
	apply(t, store, state.Batch{})
}

// TestApplyIsAllOrNothing: whichever statement of a batch fails, for whatever
// reason the database has, nothing of the batch is done.
func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	batch := state.Batch{
		Insert: []state.Row{delivery(1, 10), delivery(1, 11)},
		Update: []state.Attempt{{Key: delivery(1, 0).Key, Attempts: 9}},
		Bury:   []state.Attempt{{Key: delivery(1, 1).Key, Reason: "gone"}},
		Delete: []state.Key{delivery(1, 2).Key},
	}
	park(t, store, 1, 0, 3)
	before, err := store.List(t.Context(), state.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
	for _, operation := range []string{
		"BEFORE INSERT", "AFTER INSERT", "BEFORE UPDATE OF attempts", "BEFORE UPDATE OF reason", "AFTER DELETE",
	} {
		db.Exec(t, `CREATE TRIGGER fails `+operation+` ON "Hook""tail".parked FOR EACH ROW EXECUTE FUNCTION full_disk()`)
		err := store.Apply(t.Context(), batch)
		const diskFull = "53100"
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != diskFull {
			t.Errorf("%s: error %v", operation, err)
		}
		after, err := store.List(t.Context(), state.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: rows (-before +after):\n%s", operation, diff)
		}
		db.Exec(t, `DROP TRIGGER fails ON "Hook""tail".parked`)
	}
	apply(t, store, batch)
	if diff := cmp.Diff([]int{0, 1, 10, 11}, stored(t, store, state.Filter{})); diff != "" {
		t.Errorf("after the disk has room (-want +got):\n%s", diff)
	}
}

// TestApplyStatementTimeout: so it is with a database that is too slow.
func TestApplyStatementTimeout(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	blocker := db.Connect(t)
	store := state.New(state.Options{Pool: openPool(t, db.DSN+"&statement_timeout=100"), Schema: schema})
	park(t, store, 1, 0, 2)
	if _, err := blocker.Exec(t.Context(), `BEGIN; SELECT FROM "Hook""tail".parked WHERE ordinal = 1 FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	err := store.Apply(t.Context(), state.Batch{
		Insert: []state.Row{delivery(1, 5)},
		Delete: []state.Key{delivery(1, 0).Key, delivery(1, 1).Key},
	})
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff([]int{0, 1}, stored(t, store, state.Filter{})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestTailIsInOrder: however rows were parked, a hook's tail is in the order of
// the stream, whole, and the same in parts of any size.
func TestTailIsInOrder(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	const rows = 100
	for _, n := range rand.New(rand.NewPCG(7, 7)).Perm(rows) {
		park(t, store, 1, n, n+1)
		park(t, store, 2, n, n+1)
	}
	apply(t, store, state.Batch{Bury: []state.Attempt{{Key: delivery(1, 50).Key}}, Delete: []state.Key{delivery(1, 0).Key}})
	var want []int
	for n := 1; n < rows; n++ {
		if n != 50 {
			want = append(want, n)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		part := state.Part{Hook: 1, Rows: rapid.IntRange(1, 60).Draw(rt, "rows")}
		var got []int
		for {
			rows, err := store.Tail(t.Context(), part)
			if err != nil {
				rt.Fatal(err)
			}
			if len(rows) == 0 {
				break
			}
			if len(rows) > part.Rows {
				rt.Fatalf("%d rows", len(rows))
			}
			got = append(got, numbers(rows)...)
			part.After = rows[len(rows)-1].Event
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Fatalf("order (-want +got):\n%s", diff)
		}
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	store := newStore(t, migrated(t))
	park(t, store, 1, 0, 4)
	apply(t, store, state.Batch{Bury: []state.Attempt{{Key: delivery(1, 2).Key}}})
	got, err := store.Bodies(t.Context(), 1, []mapping.ID{event(3), event(0), event(2), event(9)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[mapping.ID][]byte{event(0): delivery(1, 0).Body.Bytes(), event(3): delivery(1, 3).Body.Bytes()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
}

func TestBacklogs(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	if got, err := store.Backlogs(t.Context()); err != nil || len(got) != 0 {
		t.Fatalf("backlogs of nothing: %v, error %v", got, err)
	}
	park(t, store, 1, 0, 3)
	park(t, store, 2, 4, 5)
	apply(t, store, state.Batch{Bury: []state.Attempt{{Key: delivery(1, 0).Key}}})
	got, err := store.Backlogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if near := count(t, db, "SELECT (pg_current_wal_insert_lsn() - $1::text::pg_lsn BETWEEN 0 AND 1 << 30)::int::text", got[i].End.String()); near != "1" || got[i].End == 0 {
			t.Errorf("end of the WAL: %s", got[i].End)
		}
		got[i].End = 0
	}
	size := int64(delivery(1, 0).Body.Len())
	want := []state.Backlog{
		{
			Hook:   1,
			Parked: state.Volume{Rows: 2, Bytes: 2 * size, Oldest: delivery(1, 1).Committed},
			Dead:   state.Volume{Rows: 1, Bytes: size, Oldest: delivery(1, 0).Committed},
		},
		{Hook: 2, Parked: state.Volume{Rows: 1, Bytes: size, Oldest: delivery(1, 4).Committed}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("backlogs (-want +got):\n%s", diff)
	}
	if n, err := store.Room(t.Context(), 1); err != nil || n != 2*(size+state.RowBytes) || n != want[0].Parked.Room() {
		t.Errorf("room of hook 1 = %d, error %v, want %d", n, err, 2*(size+state.RowBytes))
	}
	if n, err := store.Room(t.Context(), 3); err != nil || n != 0 {
		t.Errorf("room of a hook without rows = %d, error %v", n, err)
	}
}

// TestCompareOrdersAsTheTableDoes: also where timelines differ, at the ends of
// the range, and for the places between events that After may name.
func TestCompareOrdersAsTheTableDoes(t *testing.T) {
	t.Parallel()
	const most = 1<<31 - 1
	store := newStore(t, migrated(t))
	var rows []state.Row
	for _, id := range []mapping.ID{
		event(1),
		{Timeline: 2, Commit: 1},
		{Timeline: 1, Commit: 1, Ordinal: 1},
		{Timeline: 1, Commit: 1},
		event(0),
		{Timeline: most, Commit: 1<<64 - 1, Ordinal: most},
		{Timeline: 1, Commit: 1, Ordinal: 300},
		{Timeline: 3, Commit: 1, Ordinal: 1},
	} {
		r := delivery(1, 0)
		r.Event = id
		rows = append(rows, r)
	}
	apply(t, store, state.Batch{Insert: rows})
	places := []mapping.ID{{}, {Commit: 1<<64 - 1}, {Timeline: most, Commit: 1, Ordinal: -1}, {Timeline: most, Commit: 1, Ordinal: 1}}
	for _, r := range rows {
		places = append(places, r.Event)
	}
	for _, after := range places {
		var want, got []mapping.ID
		for _, r := range rows {
			if state.Compare(r.Event, after) > 0 {
				want = append(want, r.Event)
			}
		}
		slices.SortFunc(want, state.Compare)
		tail, err := store.Tail(t.Context(), state.Part{Hook: 1, After: after, Rows: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range tail {
			got = append(got, r.Event)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %v (-Compare +table):\n%s", after, diff)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, id := range []mapping.ID{event(0), event(7), {Timeline: 2, Commit: 1<<64 - 1, Ordinal: 1<<31 - 1}} {
		if got, err := state.ParseID(id.String()); err != nil || got != id {
			t.Errorf("ParseID(%q) = %v, error %v", id, got, err)
		}
	}
	for _, text := range []string{"", "repair-0-0", "1-2", "1-16b3-0", "1-016B3-0", "+1-2-3", "1-2-3-4", "-1-2-3", "a-b-c", "1-1FFFFFFFFFFFFFFFF-0", "99999999999-1-0"} {
		if got, err := state.ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %v, want an error", text, got)
		}
	}
}

// TestTailLeavesTheSessionAlone: how the server is to plan the query of Tail
// does not outlast it on a connection that others use too.
func TestTailLeavesTheSessionAlone(t *testing.T) {
	t.Parallel()
	pool := openPool(t, migrated(t).DSN+"&pool_max_conns=1")
	store := state.New(state.Options{Pool: pool, Schema: schema})
	const sorting = `SELECT current_setting('enable_sort')`
	for range 3 {
		if _, err := store.Tail(t.Context(), state.Part{Hook: 1, Rows: 1}); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := pool.QueryRow(t.Context(), sorting).Scan(&got); err != nil || got != "on" {
			t.Errorf("enable_sort = %q, error %v", got, err)
		}
	}
}
