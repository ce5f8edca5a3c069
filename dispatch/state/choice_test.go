package state_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// chosen is the choice as the database has it.
const chosen = `SELECT concat_ws(' ', coalesce(events_added::text, '-'), coalesce(events_removed::text, '-'), coalesce(filter, '-'), coalesce(rate, '-'), coalesce(format, '-'))
	FROM {}.hook_setting WHERE hook_id = $1`

func TestChoose(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	for _, tt := range []struct {
		name string
		edit func(*state.Choice)
		want string
	}{
		{"nothing", func(*state.Choice) {}, "- - - - -"},
		{"a filter", func(c *state.Choice) { c.Filter = "action == 'A, \"B\"'" }, `- - action == 'A, "B"' - -`},
		{"events beside it", func(c *state.Choice) {
			c.Added = append(c.Added, "MODEL_OUTDATED", "TASK_COMPLETED")
			c.Removed = []mapping.Action{"TASK_CREATED"}
		}, `{MODEL_OUTDATED,TASK_COMPLETED} {TASK_CREATED} action == 'A, "B"' - -`},
		{
			"fewer, and the rest", func(c *state.Choice) { c.Added, c.Removed, c.Rate, c.Format = c.Added[:1], nil, "10/s", "cloudevents" },
			`{MODEL_OUTDATED} - action == 'A, "B"' 10/s cloudevents`,
		},
		{"nothing again", func(c *state.Choice) { *c = state.Choice{} }, "- - - - -"},
	} {
		if err := store.Choose(t.Context(), 7, func(c *state.Choice) error { tt.edit(c); return nil }); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, count(t, db, chosen, 7)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	refused := errors.New("refused")
	if err := store.Choose(t.Context(), 8, func(c *state.Choice) error { c.Rate = "1/s"; return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	if got := count(t, db, `SELECT count(*) FROM {}.hook_setting WHERE hook_id = 8`); got != "0" {
		t.Error("a choice that was refused has made a row")
	}
}
