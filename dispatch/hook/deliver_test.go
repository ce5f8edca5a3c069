package hook

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

func settingRow(hook int64, adopted string) RowChange {
	return RowChange{Table: HookSetting, Row: dispatchtest.Row{"hook_id": strconv.FormatInt(hook, 10), "adopted": adopted}}
}

func TestDeliver(t *testing.T) {
	for _, tt := range []struct {
		deliver Deliver
		want    string // hook 1 is active, 2 adopted, 3 both, 4 neither
	}{
		{"", "1:TASK_CREATED 2:TASK_CREATED 3:TASK_CREATED"},
		{DeliverBoth, "1:TASK_CREATED 2:TASK_CREATED 3:TASK_CREATED"},
		{DeliverActive, "1:TASK_CREATED 3:TASK_CREATED"},
		{DeliverAdopted, "2:TASK_CREATED 3:TASK_CREATED"},
	} {
		t.Run(string(tt.deliver), func(t *testing.T) {
			h := NewSet(Options{Log: slog.New(slog.DiscardHandler), Deliver: tt.deliver})
			apply(t, h,
				settingRow(2, "t"), // before the row of its hook is known
				RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/")},
				RowChange{Table: Webhook, Row: dispatchtest.HookRow(2, "http://x/").With("is_active", "f")},
				RowChange{Table: Webhook, Row: dispatchtest.HookRow(3, "http://x/")},
				RowChange{Table: Webhook, Row: dispatchtest.HookRow(4, "http://x/").With("is_active", "f")},
				settingRow(3, "t"), settingRow(4, "f"))
			got := targets(h.Match(&mapping.Event{Action: mapping.TaskCreated, Organization: 1, Project: 1}, nil))
			if got != tt.want {
				t.Errorf("matches\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A hook that is handed over is on at each step of it, and what was taken on for it
// stays wanted whoever serves it afterwards.
func TestHandingOver(t *testing.T) {
	for _, deliver := range []Deliver{DeliverBoth, DeliverActive, DeliverAdopted} {
		h := NewSet(Options{Log: slog.New(slog.DiscardHandler), Deliver: deliver})
		active, inactive := dispatchtest.HookRow(1, "http://x/"), dispatchtest.HookRow(1, "http://x/").With("is_active", "f")
		steps := []RowChange{
			{Table: Webhook, Row: active},
			settingRow(1, "t"),
			{Table: Webhook, Row: inactive}, // adopt
			{Table: Webhook, Row: active},
			settingRow(1, "f"), // release
			settingRow(1, "t"),
			{Table: HookSetting, Deleted: true, Row: dispatchtest.Row{"hook_id": "1"}},
		}
		for i, step := range steps {
			apply(t, h, step)
			if hook, _ := h.Hook(1); !hook.IsOn() {
				t.Errorf("%s: off after step %d", deliver, i)
			}
		}
		if hook, _ := h.Hook(1); hook.Adopted {
			t.Errorf("%s: adopted without a setting", deliver)
		}
	}
}

// What else is said of a hook does not concern its row: a receiver that answered
// 410 is not asked again because of it.
func TestSettingsLeaveTheHookAlone(t *testing.T) {
	h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
	before, _ := h.Hook(1)
	apply(t, h, settingRow(1, "f"))
	if after, _ := h.Hook(1); after != before {
		t.Error("the hook is another one")
	}
}
