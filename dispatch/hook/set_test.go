package hook

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

func TestMatch(t *testing.T) {
	h := newTestHooks(t,
		dispatchtest.HookRow(1, "http://x/").With("project_id", "1"),
		dispatchtest.HookRow(2, "http://x/").With("project_id", "1", "send_payload", "f"),
		dispatchtest.HookRow(3, "http://x/").With("project_id", "1", "send_for_all_actions", "f"), // ANNOTATION_CREATED, TASKS_CREATED
		dispatchtest.HookRow(4, "http://x/").With("project_id", "1", "is_active", "f"),
		dispatchtest.HookRow(6, "http://x/"),
		dispatchtest.HookRow(7, "http://x/").With("send_for_all_actions", "f"), // PROJECT_CREATED, TASK_CREATED, TASK_DELETED
		dispatchtest.HookRow(8, "http://x/").With("project_id", "3"),
		dispatchtest.HookRow(9, "http://x/").With("project_id", "1", "send_for_all_actions", "f"), // nothing
		dispatchtest.HookRow(10, "http://x/").With("organization_id", "2"),
	)
	apply(t, h,
		actionRow(1, 3, "ANNOTATION_CREATED"), actionRow(2, 3, "TASKS_CREATED"),
		actionRow(3, 7, "PROJECT_CREATED"), actionRow(4, 7, "TASK_CREATED"), actionRow(5, 7, "TASK_DELETED"))
	for _, tt := range []struct {
		name                  string
		action                mapping.Action
		organization, project int64
		want                  string
	}{
		{"of a project", mapping.AnnotationUpdated, 1, 1, "1:ANNOTATION_UPDATED 2:ANNOTATION_UPDATED- 6:ANNOTATION_UPDATED"},
		{"chosen", mapping.AnnotationCreated, 1, 1, "1:ANNOTATION_CREATED 2:ANNOTATION_CREATED- 3:ANNOTATION_CREATED 6:ANNOTATION_CREATED"},
		{"not the same as the singular", mapping.AnnotationsCreated, 1, 1, "1:ANNOTATIONS_CREATED 2:ANNOTATIONS_CREATED- 6:ANNOTATIONS_CREATED"},
		{"both spellings, guide", mapping.TaskCreated, 1, 1, "1:TASK_CREATED 2:TASK_CREATED- 3:TASKS_CREATED 6:TASK_CREATED 7:TASK_CREATED"},
		{"both spellings, native", mapping.TasksCreated, 1, 1, "1:TASKS_CREATED 2:TASKS_CREATED- 3:TASKS_CREATED 6:TASKS_CREATED 7:TASK_CREATED"},
		{"deleted in both spellings", mapping.TasksDeleted, 1, 1, "1:TASKS_DELETED 2:TASKS_DELETED- 6:TASKS_DELETED 7:TASK_DELETED"},
		{"project created", mapping.ProjectCreated, 1, 1, "6:PROJECT_CREATED 7:PROJECT_CREATED"},
		{"project deleted", mapping.ProjectDeleted, 1, 1, "6:PROJECT_DELETED"},
		{"project updated", mapping.ProjectUpdated, 1, 1, "1:PROJECT_UPDATED 2:PROJECT_UPDATED- 6:PROJECT_UPDATED"},
		{"another project", mapping.AnnotationUpdated, 1, 2, "6:ANNOTATION_UPDATED"},
		{"another organization", mapping.AnnotationUpdated, 2, 4, "10:ANNOTATION_UPDATED"},
		{"a project that moved", mapping.AnnotationUpdated, 2, 1, "10:ANNOTATION_UPDATED"},
		{"unknown organization", mapping.AnnotationUpdated, 0, 3, "8:ANNOTATION_UPDATED"},
		{"nothing known", mapping.AnnotationUpdated, 0, 0, ""},
		{"unknown organization, project deleted", mapping.ProjectDeleted, 0, 3, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := &mapping.Event{Action: tt.action, Organization: tt.organization, Project: tt.project}
			if got := targets(h.Match(e, nil)); got != tt.want {
				t.Errorf("matches\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// targets prints hook:action, with - for those without payload.
func targets(ts []Target) string {
	var out []string
	for _, t := range ts {
		s := fmt.Sprintf("%d:%s", t.Hook, t.Action)
		if !t.Payload {
			s += "-"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestApply(t *testing.T) {
	base := dispatchtest.HookRow(5, "http://x/").With("send_for_all_actions", "f")
	insert := RowChange{Table: Webhook, Row: base}
	created, updated := actionRow(70, 5, "ANNOTATION_CREATED"), actionRow(71, 5, "ANNOTATION_UPDATED")
	for _, tt := range []struct {
		name    string
		changes []RowChange
		want    []mapping.Action // nil: no such hook
	}{
		{"inserted", []RowChange{insert, created}, []mapping.Action{"ANNOTATION_CREATED"}},
		{"action first", []RowChange{created, insert}, []mapping.Action{"ANNOTATION_CREATED"}},
		{"action deleted by id", []RowChange{insert, created, updated, deleteRow(WebhookAction, 70)}, []mapping.Action{"ANNOTATION_UPDATED"}},
		{"once more", []RowChange{insert, created, updated, insert, created, updated}, []mapping.Action{"ANNOTATION_CREATED", "ANNOTATION_UPDATED"}},
		{"action changed", []RowChange{insert, created, actionRow(70, 5, "PROJECT_UPDATED")}, []mapping.Action{"PROJECT_UPDATED"}},
		{"unknown action deleted", []RowChange{insert, created, deleteRow(WebhookAction, 99)}, []mapping.Action{"ANNOTATION_CREATED"}},
		{"deleted", []RowChange{insert, created, deleteRow(WebhookAction, 70), deleteRow(Webhook, 5)}, nil},
		{"deleted, actions later", []RowChange{insert, created, deleteRow(Webhook, 5), deleteRow(WebhookAction, 70)}, nil},
		{"deleted twice", []RowChange{insert, deleteRow(Webhook, 5), deleteRow(Webhook, 5)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newTestHooks(t)
			apply(t, h, tt.changes...)
			hook, ok := h.Hook(5)
			if ok != (tt.want != nil) {
				t.Fatalf("hook is there: %v", ok)
			}
			if ok && !cmp.Equal(hook.Actions, tt.want) {
				t.Errorf("actions %v, want %v", hook.Actions, tt.want)
			}
			if !ok && len(h.chosen)+len(h.choices) > 0 {
				t.Errorf("left of it: %v %v", h.chosen, h.choices)
			}
		})
	}
}

// What a change does not say, and nobody knows, is read from the table: see Complete.
func TestApplyNamesTheMissingColumn(t *testing.T) {
	h := newTestHooks(t)
	for _, tt := range []struct {
		change     RowChange
		want       string
		incomplete bool
	}{
		{RowChange{Table: Webhook, Row: dispatchtest.Row{}}, "column id is missing", true},
		{RowChange{Table: Webhook, Row: dispatchtest.Row{"id": "1"}}, "column organization_id is missing", true},
		{RowChange{Table: WebhookAction, Row: dispatchtest.Row{"id": "1", "webhook_id": "1"}}, "column action is missing", true},
		{RowChange{Table: HookSetting, Row: dispatchtest.Row{"hook_id": "1"}}, "column adopted is missing", true},
		{RowChange{Table: Webhook, Deleted: true, Row: dispatchtest.Row{"id": dispatchtest.Null}}, "column id is missing", true},
		{RowChange{Table: "task", Row: dispatchtest.Row{"id": "1"}}, "table task has no hooks", false},
	} {
		err := h.Apply(tt.change)
		if !strings.Contains(errorText(err), tt.want) || errors.Is(err, ErrIncomplete) != tt.incomplete {
			t.Errorf("error %q, want %q", err, tt.want)
		}
	}
	if n := len(h.All()) + len(h.Unreadable()); n > 0 {
		t.Errorf("%d hooks or rows of rows that are not known", n)
	}
}

// What the stream shows of a hook that Load did not find any more is its past. Which
// transactions Load saw is what decides, and no clock.
func TestApplyIgnoresHooksThatAreGone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		xid    uint32
		atSlot bool
		want   bool
	}{
		{"ended before the load", 90, false, false},
		{"ended between two that ran", 96, false, false},
		{"committed, and not seen yet", 95, false, true},
		{"begun after the load", 100, false, true},
		{"loaded at the slot", 90, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewSet(Options{AtSlot: tt.atSlot, Log: slog.New(slog.DiscardHandler)})
			h.seen, h.end, h.catching = snapshot{min: 95, max: 100, running: []uint64{95}}, 1000, !tt.atSlot
			h.Advance(999)
			apply(t, h, RowChange{Table: Webhook, XID: tt.xid, Row: dispatchtest.HookRow(1, "http://x/")})
			h.Advance(1000)
			if _, got := h.Hook(1); got != tt.want {
				t.Errorf("there: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTruncate(t *testing.T) {
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	some := dispatchtest.HookRow(1, "http://x/").With("send_for_all_actions", "f")
	apply(t, h, RowChange{Table: Webhook, Row: some}, actionRow(7, 1, "TASK_CREATED"))
	apply(t, h, RowChange{Table: WebhookAction, Truncated: true})
	if hook, ok := h.Hook(1); !ok || len(hook.Actions) > 0 {
		t.Errorf("without actions: there %v, %+v", ok, hook)
	}
	apply(t, h, RowChange{Table: Webhook, Truncated: true})
	if n := len(h.All()); n > 0 {
		t.Errorf("%d hooks are left", n)
	}
	apply(t, h, RowChange{Table: Webhook, Row: some})
	if hook, ok := h.Hook(1); !ok || len(hook.Actions) > 0 {
		t.Errorf("inserted again: there %v, %+v", ok, hook)
	}
}

func TestRefusedHookIsLoggedOnceAndMended(t *testing.T) {
	var log dispatchtest.Log
	h := NewSet(Options{Log: log.Logger()})
	bad := RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/").With("headers", `{"Host": "hush"}`)}
	apply(t, h, bad, bad, actionRow(1, 1, "TASK_CREATED"))
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	if s := log.String(); !strings.Contains(s, "hook=1") || !strings.Contains(s, "bad_headers") || strings.Contains(s, "hush") {
		t.Errorf("log:\n%s", s)
	}
	apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/")})
	if hook, _ := h.Hook(1); hook.IsRefused() {
		t.Errorf("still refused for %s", hook.Refused)
	}
}

// matching is so many hooks and an event that one of them wants: the others are of
// other projects, or of all projects and have chosen another action.
func matching(t testing.TB, hooks int64) (*Set, *mapping.Event) {
	t.Helper()
	h := newTestHooks(t)
	apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/").With("project_id", "7")})
	for id := int64(2); id <= hooks; id++ {
		other := dispatchtest.HookRow(id, "http://x/").With("project_id", strconv.FormatInt(100+id, 10))
		if id%2 == 0 {
			other = dispatchtest.HookRow(id, "http://x/").With("send_for_all_actions", "f")
			apply(t, h, actionRow(id, id, "PROJECT_CREATED"))
		}
		apply(t, h, RowChange{Table: Webhook, Row: other})
	}
	return h, &mapping.Event{Action: mapping.AnnotationCreated, Organization: 1, Project: 7}
}

// TestMatchAllocatesNothing beside what it returns, and finds the one hook.
func TestMatchAllocatesNothing(t *testing.T) {
	h, e := matching(t, 1000)
	dst := h.Match(e, nil)
	if len(dst) != 1 || dst[0].Hook != 1 {
		t.Fatalf("matches %v", dst)
	}
	if n := testing.AllocsPerRun(100, func() { dst = h.Match(e, dst[:0]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int64{10, 1000} {
		b.Run("hooks="+strconv.FormatInt(n, 10), func(b *testing.B) {
			h, e := matching(b, n)
			var dst []Target
			b.ReportAllocs()
			for b.Loop() {
				dst = h.Match(e, dst[:0])
			}
			if len(dst) != 1 {
				b.Fatalf("%d matches", len(dst))
			}
		})
	}
}

// BenchmarkApply is what one changed row costs, with so many hooks.
func BenchmarkApply(b *testing.B) {
	for _, n := range []int64{10, 1000, 10_000} {
		b.Run("hooks="+strconv.FormatInt(n, 10), func(b *testing.B) {
			h, _ := matching(b, n)
			rows := [...]dispatchtest.Row{dispatchtest.HookRow(n/2, "http://x/").With("is_active", "f"), dispatchtest.HookRow(n/2, "http://x/")}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				apply(b, h, RowChange{Table: Webhook, Row: rows[i%2]})
			}
		})
	}
}
