package state_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// webhooks is the application's table in the tests, which has a name that needs its quotes.
var webhooks = state.Table{Schema: "public", Name: `Web"hook`}

// makeWebhooks makes the application's table with these hooks, all of them active.
func makeWebhooks(t *testing.T, db *cdctest.Database, hooks ...int64) {
	t.Helper()
	db.Exec(t, `CREATE TABLE "Web""hook" (id bigint PRIMARY KEY, is_active boolean NOT NULL DEFAULT true)`)
	db.Exec(t, `INSERT INTO "Web""hook" (id) SELECT unnest($1::bigint[])`, hooks)
}

// handed says which hooks are active, and which are adopted.
func handed(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	return count(t, db, `SELECT concat('active ', (SELECT string_agg(id::text, ' ' ORDER BY id) FROM "Web""hook" WHERE is_active),
		', adopted ', (SELECT string_agg(hook_id::text, ' ' ORDER BY hook_id) FROM {}.hook_setting WHERE adopted))`)
}

// TestAdopt: the application's rows and hooktail's change together or not at all.
func TestAdopt(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	makeWebhooks(t, db, -5, 0, 1, 2)
	store := newStore(t, db)
	for _, step := range []struct {
		name  string
		do    func() error
		fails bool
		want  string
	}{
		{"adopt", func() error { return store.Adopt(t.Context(), webhooks, []int64{-5, 0, 1}) }, false, "active 2, adopted -5 0 1"},
		{"adopt one that is gone", func() error { return store.Adopt(t.Context(), webhooks, []int64{2, 7}) }, true, "active 2, adopted -5 0 1"},
		{"release one that is gone", func() error { return store.Release(t.Context(), webhooks, []int64{1, 7}) }, true, "active 2, adopted -5 0 1"},
	} {
		if err := step.do(); (err != nil) != step.fails {
			t.Errorf("%s: error %v", step.name, err)
		}
		if got := handed(t, db); got != step.want {
			t.Errorf("%s: %s, want %s", step.name, got, step.want)
		}
	}
	abandoned, err := state.ReadAbandoned(t.Context(), db.Connect(t), webhooks, []int64{1, -5, 9})
	if diff := cmp.Diff(state.Abandoned{Hooks: []int64{-5, 1}}, abandoned); err != nil || diff != "" {
		t.Errorf("error %v; adopted hooks that the application has (-want +got):\n%s", err, diff)
	}
	if err := store.Release(t.Context(), webhooks, []int64{-5, 0, 1}); err != nil {
		t.Error(err)
	}
	if got, want := handed(t, db), "active -5 0 1 2, adopted "; got != want {
		t.Errorf("release: %s, want %s", got, want)
	}
}

// TestPeopleLearnWhoLocks: what a person has asked for waits for the locks of others, says
// whose they are, and gives up with their names; once they are gone it works.
func TestPeopleLearnWhoLocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		lock string // what the other session has done
		ask  func(t *testing.T, store *state.Store) error
	}{
		{"adopt, the application's row", `UPDATE "Web""hook" SET is_active = is_active`, func(t *testing.T, store *state.Store) error {
			return store.Adopt(t.Context(), webhooks, []int64{1})
		}},
		{"release, the setting", `SELECT FROM {}.hook_setting FOR UPDATE`, func(t *testing.T, store *state.Store) error {
			return store.Release(t.Context(), webhooks, []int64{1})
		}},
		{"resume", `DELETE FROM {}.hook_setting`, func(t *testing.T, store *state.Store) error {
			return store.Resume(t.Context(), 1)
		}},
		{"discard", `UPDATE {}.parked SET attempts = 7`, func(t *testing.T, store *state.Store) error {
			_, err := store.Discard(t.Context(), state.Filter{}, false)
			return err
		}},
		{"discard, the table", `LOCK TABLE {}.parked`, func(t *testing.T, store *state.Store) error {
			_, err := store.Discard(t.Context(), state.Filter{}, false)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t)
			makeWebhooks(t, db, 1)
			park(t, newStore(t, db), 1, 0, 3)
			if err := newStore(t, db).Pause(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			person := db.Connect(t)
			if _, err := person.Exec(t.Context(), "SET application_name = 'the culprit'; BEGIN; "+strings.ReplaceAll(tt.lock, "{}", `"Hook""tail"`)); err != nil {
				t.Fatal(err)
			}
			var mu sync.Mutex
			var told []string
			tell := func(holders string) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, holders)
			}
			impatient := waiting(t, db, state.Wait{Notice: 50 * time.Millisecond, Bound: 2 * time.Second, Tell: tell})
			fault, ok := errors.AsType[*state.LockedError](tt.ask(t, impatient))
			if !ok || !strings.Contains(fault.Error(), "application the culprit") {
				t.Errorf("it does not name who holds the lock: %v", fault)
			}
			mu.Lock()
			if !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, "application the culprit") }) {
				t.Errorf("told meanwhile: %q", told)
			}
			mu.Unlock()

			ended := make(chan struct{}, 1)
			patient := waiting(t, db, state.Wait{Notice: 50 * time.Millisecond, Bound: time.Minute, Tell: func(string) {
				select {
				case ended <- struct{}{}:
				default:
				}
			}})
			done := make(chan error, 1)
			go func() { done <- tt.ask(t, patient) }()
			select {
			case <-ended: // it waits
			case err := <-done:
				t.Fatalf("it did not wait: %v", err)
			}
			if _, err := person.Exec(t.Context(), "ROLLBACK"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("after the lock: %v", err)
			}
		})
	}
}

func waiting(t *testing.T, db *cdctest.Database, w state.Wait) *state.Store {
	t.Helper()
	return state.New(state.Options{Pool: openPool(t, db.DSN), Schema: schema, Wait: w})
}
