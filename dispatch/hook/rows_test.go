package hook

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestOnlyWhatDecidesSendingMakesAHookNew: what else is written into its rows neither wakes
// its lane nor lets it forget a pause that the receiver asked for.
func TestOnlyWhatDecidesSendingMakesAHookNew(t *testing.T) {
	base := dispatchtest.HookRow(1, "http://x/a").With("headers", `{"A": "1"}`, "project_id", "7", "consecutive_failures", "0", "name", "n", "updated_at", "2026-11-23 09:37:58+00")
	webhook := func(columnsAndValues ...string) RowChange {
		return RowChange{Table: Webhook, Row: base.With(columnsAndValues...)}
	}
	setting := func(columnsAndValues ...string) RowChange {
		return RowChange{Table: HookSetting, Row: dispatchtest.Row{"hook_id": "1", "adopted": "f", "secrets": "{}"}.With(columnsAndValues...)}
	}
	for _, tt := range []struct {
		name   string
		change RowChange
		want   bool
	}{
		{"saved as it was", webhook(), false},
		{"counter", webhook("consecutive_failures", "17"), false},
		{"time", webhook("updated_at", "infinity"), false},
		{"time of creation", webhook("created_at", "2026-12-24 00:00:00+00"), false},
		{"name", webhook("name", "another"), false},
		{"column that came", webhook("color", "red"), false},
		{"headers in another order", webhook("headers", `{ "A":"1" }`), false},
		{"paused", setting("paused", "t"), false},
		{"suspended", setting("suspended_lsn", "0/1"), false},
		{"action of another hook", actionRow(1, 2, "TASK_CREATED"), false},
		{"url", webhook("url", "http://x/b"), true},
		{"credentials in the url", webhook("url", "http://u:p@x/a"), true},
		{"query of the url", webhook("url", "http://x/a?t=1"), true},
		{"a bad url", webhook("url", "ftp://x/"), true},
		{"value of a header", webhook("headers", `{"A": "2"}`), true},
		{"payload", webhook("send_payload", "f"), true},
		{"actions", webhook("send_for_all_actions", "f"), true},
		{"a chosen action", actionRow(1, 1, "TASK_CREATED"), true},
		{"off", webhook("is_active", "f"), true},
		{"project", webhook("project_id", "8"), true},
		{"organization", webhook("organization_id", "2"), true},
		{"adopted", setting("adopted", "t"), true},
		{"secret", setting("secrets", `{"\\xc0ffee"}`), true},
		{"nothing chosen", setting("events_added", dispatchtest.Null, "events_removed", "{}", "filter", dispatchtest.Null, "rate", "", "format", dispatchtest.Null), false},
		{"an action more", setting("events_added", "{TASK_COMPLETED}"), true},
		{"an action less", setting("events_removed", "{TASK_CREATED}"), true},
		{"filter", setting("filter", "true"), false},
		{"rate", setting("rate", "10/s"), false},
		{"format", setting("format", "cloudevents"), true},
		{"deleted", deleteRow(Webhook, 1), true},
		{"all deleted", RowChange{Table: Webhook, Truncated: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHooks(t, base)
			before, _ := h.Hook(1)
			told := 0
			h.OnChange(func(int64) { told++ })
			apply(t, h, tt.change)
			after, ok := h.Hook(1)
			if same := ok && after.revision == before.revision; same == tt.want {
				t.Errorf("the hook is another one: %v, want %v", !same, tt.want)
			}
			if tells := tt.want || tt.name == "rate" || tt.name == "filter"; (told > 0) != tells {
				t.Errorf("the lane is told %d times", told)
			}
		})
	}
}

// TestTruncateEmptiesItsTableAlone: what is in the others is told by themselves.
func TestTruncateEmptiesItsTableAlone(t *testing.T) {
	for table, want := range map[Table]string{
		Webhook:       "",
		WebhookAction: "adopted []",
		HookSetting:   "not adopted [TASK_CREATED]",
	} {
		h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/").With("send_for_all_actions", "f"))
		apply(t, h, actionRow(7, 1, "TASK_CREATED"), settingRow(1, "t"), RowChange{Table: table, Truncated: true})
		got := ""
		if hook, ok := h.Hook(1); ok {
			got = fmt.Sprintf("%sadopted %v", map[bool]string{false: "not "}[hook.Adopted], hook.Actions)
		}
		if got != want {
			t.Errorf("after TRUNCATE %s: %q, want %q", table, got, want)
		}
		apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/").With("send_for_all_actions", "f")})
		if hook, _ := h.Hook(1); table == Webhook && (!hook.Adopted || len(hook.Actions) != 1) {
			t.Errorf("a hook that is there again is %+v", hook)
		}
	}
}

// TestCatchingUp: while the stream shows the way to what Load has read, events are matched
// as of their commit, and requests are made as the rows are now: a fault that was mended
// since, or a hook that was switched off, is not seen again.
func TestCatchingUp(t *testing.T) {
	h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/now"), dispatchtest.HookRow(2, "http://x/"))
	h.seen, h.end, h.catching = snapshot{min: 100, max: 100}, 1000, true // as if it had been loaded
	told := 0
	h.OnChange(func(int64) { told++ })
	past := func(columnsAndValues ...string) {
		apply(t, h, RowChange{Table: Webhook, XID: 50, Row: dispatchtest.HookRow(1, "http://x/now").With(columnsAndValues...)})
	}
	e := &mapping.Event{Action: mapping.TaskCreated, Organization: 1, Project: 1}
	matches := func(want string) {
		t.Helper()
		if got := targets(h.Match(e, nil)); got != want {
			t.Errorf("matches %q, want %q", got, want)
		}
		if hook, _ := h.Hook(1); hook.URL.parsed.String() != "http://x/now" || !hook.Active || hook.IsRefused() {
			t.Errorf("requests go to %+v", hook)
		}
	}
	past("is_active", "f")
	matches("2:TASK_CREATED")
	past("url", "ftp://x/", "send_payload", "f")
	matches("1:TASK_CREATED- 2:TASK_CREATED")
	past("organization_id", dispatchtest.Null)
	matches("2:TASK_CREATED")
	apply(t, h, RowChange{Table: Webhook, XID: 51, Deleted: true, Row: dispatchtest.Row{"id": "1"}})
	matches("2:TASK_CREATED")
	past()
	matches("1:TASK_CREATED 2:TASK_CREATED")
	apply(t, h, RowChange{Table: Webhook, XID: 52, Row: dispatchtest.HookRow(9, "http://x/")}) // and deleted, before the load
	matches("1:TASK_CREATED 2:TASK_CREATED")
	if told > 0 {
		t.Errorf("the lanes were told of the past, %d times", told)
	}
	apply(t, h, RowChange{Table: Webhook, XID: 200, Row: dispatchtest.HookRow(2, "http://x/new")}) // after the load
	if hook, _ := h.Hook(2); hook.URL.parsed.String() != "http://x/new" || told != 1 {
		t.Errorf("what is newer than the load is not seen: %s, told %d times", hook.URL, told)
	}
	h.Advance(999)
	past("url", "http://x/later") // as if the load had seen less
	if hook, _ := h.Hook(1); hook.URL.parsed.String() != "http://x/now" {
		t.Errorf("where the stream has not passed the load, the hook is as in the stream: %s", hook.URL)
	}
	if !h.Advance(1000) {
		t.Error("the stream has shown another way, and that was not seen")
	}
}

func TestSnapshotSaw(t *testing.T) {
	for _, tt := range []struct {
		snapshot string
		xid      uint32
		want     bool
	}{
		{"10:20:10,15", 9, true},
		{"10:20:10,15", 10, false},
		{"10:20:10,15", 11, true},
		{"10:20:10,15", 15, false},
		{"10:20:10,15", 19, true},
		{"10:20:10,15", 20, false},
		{"10:20:10,15", 0, false},
		{"10:10:", 9, true},
		{"10:10:", 4_000_000_000, false},
		{"4294967300:4294967310:4294967305", 4_294_967_290, true}, // before the numbers began anew
		{"4294967300:4294967310:4294967305", 9, false},
		{"4294967300:4294967310:4294967305", 8, true},
		{"4294967300:4294967310:4294967305", 14, false},
	} {
		s, err := parseSnapshot(tt.snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.saw(tt.xid); got != tt.want {
			t.Errorf("%s saw %d: %v, want %v", tt.snapshot, tt.xid, got, tt.want)
		}
	}
	for _, text := range []string{"", "1:2", "1:x:", "x:2:", "1:2:3,x"} {
		if _, err := parseSnapshot(text); err == nil {
			t.Errorf("%q is a snapshot", text)
		}
	}
}

// TestComplete: what the stream does not say of a row is read from its table.
func TestComplete(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn := db.Connect(t)
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	complete := func(change RowChange) error {
		t.Helper()
		if err := h.Apply(change); !errors.Is(err, ErrIncomplete) {
			t.Fatalf("error %v, want that it is incomplete", err)
		}
		return h.Complete(t.Context(), conn, change)
	}
	update := RowChange{Table: Webhook, Row: dispatchtest.HookRow(5, "").Without("url").Without("headers").With("is_active", "f")}
	if err := complete(update); err != nil {
		t.Fatal(err)
	}
	if hook, ok := h.Hook(5); !ok || hook.Active || hook.IsRefused() || hook.Headers.Len() != 2 {
		t.Errorf("the rest of the row was not read, or more than that: %+v", hook)
	}
	if err := complete(RowChange{Table: WebhookAction, Row: actionRow(900, 5, "").Row.(dispatchtest.Row).Without("action")}); err != nil {
		t.Fatal(err)
	}
	if hook, _ := h.Hook(5); len(hook.Actions) != 0 {
		t.Errorf("a row that is gone has chosen %v", hook.Actions)
	}
	gone := dispatchtest.HookRow(77, "").Without("url")
	if err := complete(RowChange{Table: Webhook, Row: gone}); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Hook(77); ok {
		t.Error("a row that is gone has become a hook")
	}

	// A column that is renamed for a while: to wait is to try again.
	narrow := RowChange{Table: Webhook, Narrow: true, Row: dispatchtest.HookRow(6, "http://x/six").Without("is_active")}
	apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(6, "http://x/before").With("is_active", "f")}) // what was known does not count
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN is_active TO active")
	err := complete(narrow)
	if missing, ok := errors.AsType[*MissingColumnError](err); !ok || missing.Column != "is_active" {
		t.Errorf("error %v, want the name of the column", err)
	}
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN active TO is_active")
	if err := complete(narrow); err != nil {
		t.Fatal(err)
	}
	if hook, ok := h.Hook(6); !ok || !hook.Active || hook.URL.parsed.String() != "http://x/six" {
		t.Errorf("hook 6 is %+v", hook)
	}

	// A row that nobody can name: all are read.
	if err := complete(RowChange{Table: Webhook, Deleted: true, Row: dispatchtest.Row{"id": dispatchtest.Null}}); err != nil {
		t.Fatal(err)
	}
	if n := len(h.All()); n != 10 {
		t.Errorf("%d hooks", n)
	}
}

// TestLoadLeavesOutWhatItCannotRead: rows of another type than ever are named.
func TestLoadLeavesOutWhatItCannotRead(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	for _, sql := range []string{
		"ALTER TABLE webhook_action DROP CONSTRAINT " + db.QueryText(t, "SELECT conname FROM pg_constraint WHERE conrelid = 'webhook_action'::regclass AND contype = 'f'"),
		"ALTER TABLE webhook ALTER COLUMN id DROP IDENTITY IF EXISTS",
		"ALTER TABLE webhook ALTER COLUMN id TYPE text USING CASE id WHEN 3 THEN 'six' WHEN 4 THEN repeat('9', 300) ELSE id::text END",
		"ALTER TABLE webhook ALTER COLUMN send_payload TYPE text USING CASE id WHEN '2' THEN 'perhaps' ELSE send_payload::text END",
		"ALTER TABLE webhook DROP CONSTRAINT webhook_project_id_e686d00c_fk_project_id",
		"ALTER TABLE webhook ALTER COLUMN project_id TYPE text USING CASE id WHEN '1' THEN 'one' ELSE project_id::text END",
	} {
		db.Exec(t, sql)
	}
	var log dispatchtest.Log
	h := NewSet(Options{Log: log.Logger()})
	if err := h.Load(t.Context(), db.Connect(t)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, hook := range h.All() {
		if hook.IsRefused() {
			got = append(got, fmt.Sprintf("%d: %s, %s", hook.ID, hook.Refused, hook.Fault))
		}
	}
	for _, row := range h.Unreadable() {
		got = append(got, fmt.Sprintf("%s %.8s: %s", row.Table, row.Key, row.Fault))
		if len(row.Key) > maxKey+3 {
			t.Errorf("a key of %d bytes is remembered", len(row.Key))
		}
	}
	if diff := cmp.Diff([]string{
		"1: bad_row, column project_id is not an integer", "2: bad_row, column send_payload is not a boolean",
		"webhook 99999999: column id is not an integer", "webhook six: column id is not an integer",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	e := &mapping.Event{Action: mapping.ProjectUpdated, Organization: 1, Project: 1}
	if got, want := targets(h.Match(e, nil)), "2:PROJECT_UPDATED 5:PROJECT_UPDATED 6:PROJECT_UPDATED"; got != want {
		t.Errorf("matches %s, want %s: a hook that wants an event, and cannot be sent it, keeps it as dead", got, want)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 4 {
		t.Errorf("%d faults are logged:\n%s", n, &log)
	}
	apply(t, h, RowChange{Table: Webhook, Deleted: true, Row: dispatchtest.Row{"id": "six"}}, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/")})
	if n := len(h.Unreadable()); n != 1 {
		t.Errorf("%d rows are unreadable after one was deleted", n)
	}
	if hook, _ := h.Hook(1); hook.IsRefused() {
		t.Errorf("corrected, and still refused: %s", hook.Fault)
	}
}

// TestAnyRows: whatever rows the stream brings, each event finds exactly the hooks that a
// look at all of them finds.
func TestAnyRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewSet(Options{Log: slog.New(slog.DiscardHandler), StateSchema: "hooktail", Deliver: rapid.SampledFrom([]Deliver{DeliverBoth, DeliverActive, DeliverAdopted}).Draw(t, "deliver"), KeepUnadopted: rapid.Bool().Draw(t, "keep")})
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		for range steps {
			change := anyChange().Draw(t, "change")
			if err := h.Apply(change); err != nil && !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%+v: %v", change, err)
			}
			e := &mapping.Event{
				Action:       rapid.SampledFrom(append(append(mapping.Guide.Actions(), mapping.Native.Actions()...), "MODEL_OUTDATED")).Draw(t, "action"),
				Organization: rapid.Int64Range(0, 2).Draw(t, "organization"), Project: rapid.Int64Range(0, 2).Draw(t, "project"),
			}
			if got, want := targets(h.Match(e, nil)), targets(lookAtAll(h, e)); got != want {
				t.Fatalf("%s of project %d, organization %d: matches %q, want %q", e.Action, e.Project, e.Organization, got, want)
			}
		}
	})
}

// lookAtAll is what Match finds, without an index.
func lookAtAll(h *Set, e *mapping.Event) (found []Target) {
	for _, hook := range h.All() {
		spelt, wants := hook.Wants(e.Action)
		whole := e.Action == mapping.ProjectCreated || e.Action == mapping.ProjectDeleted
		ofProject := hook.Project != 0 && hook.Project == e.Project && !whole && (e.Organization == 0 || e.Organization == hook.Organization)
		ofAll := hook.Project == 0 && e.Organization != 0 && hook.Organization == e.Organization
		kept := h.o.KeepUnadopted && hook.Active && !hook.Adopted && !hook.IsRefused()
		wants = wants && (ofProject || ofAll) && !hook.unbound
		if target, ok := hook.TargetOf(e); ok != wants || ok && target.Action != spelt {
			panic(fmt.Sprintf("hook %d has target %+v, %v", hook.ID, target, ok))
		}
		if wants && (hook.served || kept) {
			found = append(found, Target{Hook: hook.ID, Action: spelt, Payload: hook.SendPayload})
		}
	}
	return found
}

// anyChange is a change of few rows with any values, likely and unlikely ones.
func anyChange() *rapid.Generator[RowChange] {
	text := func(usual ...string) *rapid.Generator[string] {
		odd := rapid.OneOf(rapid.SampledFrom([]string{dispatchtest.Null, "", "0", "-1", "infinity", "9223372036854775808", "1.0", "\u0000", "{}", "[]"}), rapid.String())
		return rapid.Custom(func(t *rapid.T) string {
			if rapid.IntRange(0, 9).Draw(t, "odd") > 0 {
				return rapid.SampledFrom(usual).Draw(t, "usual")
			}
			return odd.Draw(t, "value")
		})
	}
	columns := map[Table]map[string]*rapid.Generator[string]{
		Webhook: {
			"id": text("1", "2", "3"), "organization_id": text("1", "2"), "project_id": text("1", "2", dispatchtest.Null),
			"send_payload": text("t", "f"), "send_for_all_actions": text("t", "f"), "is_active": text("t", "f"),
			"url": text("http://x/", "ftp://x/"), "headers": text("{}", `{"A": "1"}`), "created_at": text("2026-11-23 09:37:58+00"),
		},
		WebhookAction: {"id": text("1", "2", "3", "4"), "webhook_id": text("1", "2", "3"), "action": text("TASK_CREATED", "TASKS_CREATED", "PROJECT_CREATED")},
		HookSetting: {
			"hook_id": text("1", "2", "3"), "adopted": text("t", "f"), "secrets": text("{}"),
			"events_added": text(dispatchtest.Null, "{}", "{MODEL_OUTDATED,TASK_CREATED}", `{{A},{"B,"}}`), "events_removed": text(dispatchtest.Null, "{TASKS_CREATED,PROJECT_CREATED}"),
			"filter": text(dispatchtest.Null, "action == 'TASK_CREATED'"), "rate": text(dispatchtest.Null, "10/s"), "format": text(dispatchtest.Null, "cloudevents"),
		},
	}
	return rapid.Custom(func(t *rapid.T) RowChange {
		table := rapid.SampledFrom([]Table{Webhook, Webhook, WebhookAction, HookSetting}).Draw(t, "table")
		kind := rapid.IntRange(0, 19).Draw(t, "kind")
		if kind == 0 {
			return RowChange{Table: table, Truncated: true}
		}
		r := dispatchtest.Row{}
		names := make([]string, 0, len(columns[table]))
		for name := range columns[table] {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if rapid.IntRange(0, 49).Draw(t, name+" is there") > 0 {
				r[name] = columns[table][name].Draw(t, name)
			}
		}
		return RowChange{Table: table, Deleted: kind <= 3, Row: r}
	})
}

// BenchmarkApplyAll is what ten thousand adopted hooks cost: two rows each.
func BenchmarkApplyAll(b *testing.B) {
	const hooks = 10_000
	h, _ := matching(b, hooks)
	for b.Loop() {
		for id := int64(1); id <= hooks; id++ {
			apply(b, h, settingRow(id, "t"), RowChange{Table: Webhook, Row: dispatchtest.HookRow(id, "http://x/").With("project_id", strconv.FormatInt(id, 10), "is_active", "f")})
		}
		for id := int64(1); id <= hooks; id++ {
			apply(b, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(id, "http://x/")}, settingRow(id, "f"))
		}
	}
}
