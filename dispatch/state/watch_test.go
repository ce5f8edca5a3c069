package state_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	makeWebhooks(t, db, 5)
	ctx := t.Context()
	step := func(name string, err error, want ...state.Setting) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := store.Settings(ctx)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		suspended := cmp.Comparer(func(a, b time.Time) bool { return a.IsZero() == b.IsZero() })
		if diff := cmp.Diff(want, got, suspended, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(state.Setting{}, "Retried", "Ago")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	step("nothing", nil)
	adopt := func(adopted bool) error {
		if adopted {
			return store.Adopt(ctx, webhooks, []int64{5})
		}
		return store.Release(ctx, webhooks, []int64{5})
	}
	step("adopt", adopt(true), state.Setting{Hook: 5, Adopted: true})
	step("pause", store.Pause(ctx, 5), state.Setting{Hook: 5, Adopted: true, Paused: true})
	step("release", adopt(false), state.Setting{Hook: 5, Paused: true})
	full := state.Setting{Hook: 5, Paused: true, Suspended: begin, SuspendedLSN: "16/B374D848"}
	step("suspend", store.Suspend(ctx, 5, event(0)), full)
	step("suspend again", store.Suspend(ctx, 5, event(8)), full)
	step("resume", store.Resume(ctx, 5), state.Setting{Hook: 5})
	step("secrets", store.SetSecrets(ctx, 3, [][]byte{{1, 0}, {2}}), state.Setting{Hook: 3, Secrets: [][]byte{{1, 0}, {2}}}, state.Setting{Hook: 5})
	step("no secrets", store.SetSecrets(ctx, 3, nil), state.Setting{Hook: 3}, state.Setting{Hook: 5})
	prune := func(there ...int64) error {
		_, err := store.Prune(ctx, there, -time.Hour)
		return err
	}
	step("prune", prune(5), state.Setting{Hook: 5})
	if err := store.SetSecrets(ctx, 3, [][]byte{{1}, {2}, {3}}); err == nil {
		t.Error("three secrets are accepted")
	}
	step("three secrets", nil, state.Setting{Hook: 5})
}

// watch starts Watch and returns what receives when it has called; it ends with
// the test.
func watch(t *testing.T, store *state.Store) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	calls, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		store.Watch(ctx, func(ctx context.Context) {
			select {
			case calls <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return calls
}

// patience is longer than anything here takes, and shorter than the polls that
// are not to be seen.
const patience = 30 * time.Second

func expectCall(t *testing.T, calls <-chan struct{}, why string) {
	t.Helper()
	select {
	case <-calls:
	case <-time.After(patience):
		t.Fatalf("no call %s", why)
	}
}

func TestWatchIsPrompt(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	mixed(t, store)
	watched := state.New(state.Options{Pool: openPool(t, db.DSN), Schema: schema, Poll: 10 * patience})
	calls := watch(t, watched)
	expectCall(t, calls, "at the start")
	db.Exec(t, "SELECT pg_notify('hooktail_parked', 'another schema')")
	if _, err := store.Redrive(t.Context(), state.Filter{}, true); err != nil {
		t.Fatal(err)
	}
	select {
	case <-calls:
		t.Error("called without a change")
	default:
	}
	if _, err := store.Redrive(t.Context(), state.Filter{}, false); err != nil {
		t.Fatal(err)
	}
	expectCall(t, calls, "after a redrive")
	if err := store.Pause(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	expectCall(t, calls, "after a setting")
	if _, err := store.Discard(t.Context(), state.Filter{}, false); err != nil {
		t.Fatal(err)
	}
	expectCall(t, calls, "after a discard")
}

// TestWatchSurvivesReconnects: when the connection is lost there is a new one,
// which tells of changes again, and those made meanwhile are not missed.
func TestWatchSurvivesReconnects(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	db := migrated(t)
	dsn := "postgres://postgres@" + proxy.Addr() + "/" + db.Name + "?sslmode=disable"
	watched := state.New(state.Options{Pool: openPool(t, dsn), Schema: schema, Poll: 50 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	calls := watch(t, watched)
	expectCall(t, calls, "at the start")
	const listener = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query IN ('LISTEN hooktail_parked', '-- ping')`
	for range 3 {
		proxy.Cut()
		expectCall(t, calls, "after the cut")
		deadline := time.Now().Add(patience)
		for db.QueryText(t, listener) != "1" {
			if time.Now().After(deadline) {
				t.Fatalf("%s connections listen", db.QueryText(t, listener))
			}
			expectCall(t, calls, "while polling")
		}
	}
}

func TestWatchPolls(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	calls := watch(t, state.New(state.Options{Pool: openPool(t, db.DSN), Schema: schema, Poll: time.Millisecond}))
	for range 5 {
		expectCall(t, calls, "by the clock")
	}
}

// TestHold: what a receiver asked for is known after a restart, until a person wants the
// hook to be tried, or it is over.
func TestHold(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	check := func(name string, err error, want time.Duration) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		settings, err := store.Settings(t.Context())
		if err != nil || len(settings) != 1 {
			t.Fatalf("%s: settings %+v, error %v", name, settings, err)
		}
		if got := settings[0].Held; got > want || got < want-time.Minute {
			t.Errorf("%s: held for %s, want %s", name, got, want)
		}
	}
	check("hold", store.Hold(t.Context(), 5, time.Hour), time.Hour)
	check("pause", store.Pause(t.Context(), 5), time.Hour)
	check("hold for longer", store.Hold(t.Context(), 5, 2*time.Hour), 2*time.Hour)
	check("let go", store.Hold(t.Context(), 5, 0), 0)
	check("hold again", store.Hold(t.Context(), 5, time.Hour), time.Hour)
	check("retry", store.Retry(t.Context(), 5), 0)
	for _, hostile := range []string{"infinity", "-infinity", "4000-01-01 BC", "294000-01-01"} {
		db.Exec(t, `UPDATE "Hook""tail".hook_setting SET held_until = $1::text::timestamptz`, hostile)
		if _, err := store.Settings(t.Context()); err != nil {
			t.Errorf("held until %s: %v", hostile, err)
		}
	}
}

// TestRetriedAgo: the time since a person last asked for an attempt is that of the database's
// clock, whatever the column has.
func TestRetriedAgo(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	for _, tt := range []struct {
		at          string
		least, most time.Duration
	}{
		{"now() - interval '2 hours'", 2 * time.Hour, 3 * time.Hour},
		{"now() + interval '2 hours'", 0, 0},
		{"'infinity'", 0, 0},
		{"NULL", 0, 0},
	} {
		if err := store.Retry(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		db.Exec(t, `UPDATE "Hook""tail".hook_setting SET retry_at = `+tt.at)
		settings, err := store.Settings(t.Context())
		if err != nil || len(settings) != 1 {
			t.Fatalf("%s: settings %+v, error %v", tt.at, settings, err)
		}
		if ago := settings[0].Ago; ago < tt.least || ago > tt.most {
			t.Errorf("%s: %s ago", tt.at, ago)
		}
	}
}
