package hook

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// choiceRow is a change of the hook's choice.
func choiceRow(hook string, columnsAndValues ...string) RowChange {
	row := dispatchtest.Row{"hook_id": hook, "adopted": "f", "secrets": "{}"}
	for _, column := range []string{"events_added", "events_removed", "filter", "rate", "format"} {
		row[column] = dispatchtest.Null
	}
	return RowChange{Table: HookSetting, Row: row.With(columnsAndValues...)}
}

// TestChoiceIsRead from the table and from the stream alike.
func TestChoiceIsRead(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn := db.Connect(t)
	if err := state.Migrate(t.Context(), conn, "hooktail"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, values string // of the columns, as SQL
		change       RowChange
		want         *Choice
	}{
		{"nothing", "NULL, NULL, NULL, NULL, NULL", choiceRow("1"), nil},
		{
			"all", `'{B,A,"B"}', '{TASK_CREATED}', 'true', '10/s', 'cloudevents'`, choiceRow("1", "events_added", `{B,A,"B"}`, "events_removed", "{TASK_CREATED}", "filter", "true", "rate", "10/s", "format", "cloudevents"),
			&Choice{Choice: state.Choice{Added: actions("A", "B"), Removed: actions("TASK_CREATED"), Filter: "true", Rate: "10/s", Format: "cloudevents"}},
		},
		{"empty", "'{}', '{NULL,\"\"}', '', '', ''", choiceRow("1", "events_added", "{}", "events_removed", `{NULL,""}`, "filter", "", "rate", "", "format", ""), nil},
		{
			"odd arrays", `'{{A},{"b ,\"c"}}', '[5:5]={"NULL"}', NULL, NULL, NULL`, choiceRow("1", "events_added", `{{A},{"b ,\"c"}}`, "events_removed", `[5:5]={"NULL"}`),
			&Choice{Choice: state.Choice{Added: actions("A", `b ,"c`), Removed: actions("NULL")}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			db.Exec(t, "TRUNCATE hooktail.hook_setting")
			db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, events_added, events_removed, filter, rate, format) VALUES (1, "+tt.values+")")
			loaded := NewSet(Options{StateSchema: "hooktail", Log: slog.New(slog.DiscardHandler)})
			if err := loaded.Load(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			streamed := newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
			apply(t, streamed, tt.change)
			for way, h := range map[string]*Set{"loaded": loaded, "streamed": streamed} {
				hook, _ := h.Hook(1)
				if diff := cmp.Diff(tt.want.texts(), hook.Choice.texts()); diff != "" || (hook.Choice == nil) != (tt.want == nil) {
					t.Errorf("%s (-want +got):\n%s", way, diff)
				}
				if rows := h.Unreadable(); len(rows) > 0 {
					t.Errorf("%s: unreadable %v", way, rows)
				}
			}
		})
	}
}

// TestChoiceKeepsWhatIsNotSaid: an UPDATE does not repeat a TOASTed value that it leaves
// alone.
func TestChoiceKeepsWhatIsNotSaid(t *testing.T) {
	h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
	apply(t, h, choiceRow("1", "filter", "a long one", "rate", "10/s"))
	update := choiceRow("1", "rate", "20/s")
	delete(update.Row.(dispatchtest.Row), "filter")
	apply(t, h, update)
	hook, _ := h.Hook(1)
	if diff := cmp.Diff(state.Choice{Filter: "a long one", Rate: "20/s"}, hook.Choice.texts()); diff != "" {
		t.Errorf("choice (-want +got):\n%s", diff)
	}
	apply(t, h, RowChange{Table: HookSetting, Deleted: true, Row: dispatchtest.Row{"hook_id": "1"}})
	if hook, _ = h.Hook(1); hook.Choice != nil {
		t.Errorf("a choice is left of no row: %+v", hook.Choice)
	}
}

// TestMatchWithChoice: what people chose is on top of what the row in the application says.
func TestMatchWithChoice(t *testing.T) {
	h := newTestHooks(t,
		dispatchtest.HookRow(1, "http://x/"),
		dispatchtest.HookRow(2, "http://x/").With("project_id", "1"),
		dispatchtest.HookRow(3, "http://x/").With("send_for_all_actions", "f"), // TASK_CREATED
		dispatchtest.HookRow(4, "http://x/").With("send_for_all_actions", "f"), // MODEL_OUTDATED in the application
		dispatchtest.HookRow(5, "http://x/").With("is_active", "f"),
	)
	apply(t, h,
		actionRow(1, 3, "TASK_CREATED"), actionRow(2, 4, "MODEL_OUTDATED"),
		choiceRow("2", "events_added", "{TASK_COMPLETED,MODEL_OUTDATED}", "events_removed", "{TASK_CREATED,ANNOTATION_UPDATED}"),
		choiceRow("3", "events_added", "{MODEL_OUTDATED,ANNOTATION_UPDATED}"),
		choiceRow("5", "events_added", "{MODEL_OUTDATED}"),
	)
	match := func(want map[mapping.Action]string) {
		t.Helper()
		for action, want := range want {
			if got := targets(h.Match(&mapping.Event{Action: action, Organization: 1, Project: 1}, nil)); got != want {
				t.Errorf("%s matches %q, want %q", action, got, want)
			}
		}
	}
	match(map[mapping.Action]string{
		"TASK_CREATED":       "1:TASK_CREATED 3:TASK_CREATED",
		"TASKS_CREATED":      "1:TASKS_CREATED 3:TASK_CREATED", // one name removes both
		"ANNOTATION_UPDATED": "1:ANNOTATION_UPDATED 3:ANNOTATION_UPDATED",
		"ANNOTATION_CREATED": "1:ANNOTATION_CREATED 2:ANNOTATION_CREATED",
		"TASK_COMPLETED":     "2:TASK_COMPLETED", // all actions are the application's
		"MODEL_OUTDATED":     "2:MODEL_OUTDATED 3:MODEL_OUTDATED 4:MODEL_OUTDATED",
		"UNKNOWN":            "",
	})
	apply(t, h, choiceRow("2", "events_added", "{UNKNOWN}"), deleteRow(WebhookAction, 2), RowChange{Table: Webhook, Row: dispatchtest.HookRow(5, "http://x/")})
	match(map[mapping.Action]string{
		"TASK_CREATED":   "1:TASK_CREATED 2:TASK_CREATED 3:TASK_CREATED 5:TASK_CREATED",
		"TASK_COMPLETED": "",
		"MODEL_OUTDATED": "3:MODEL_OUTDATED 5:MODEL_OUTDATED",
		"UNKNOWN":        "2:UNKNOWN",
	})
	apply(t, h, RowChange{Table: HookSetting, Truncated: true})
	match(map[mapping.Action]string{"MODEL_OUTDATED": "", "UNKNOWN": "", "ANNOTATION_UPDATED": "1:ANNOTATION_UPDATED 2:ANNOTATION_UPDATED 5:ANNOTATION_UPDATED"})
}
