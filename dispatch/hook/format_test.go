package hook

import (
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestFormat: a form that nobody knows refuses the hook: a receiver of another one would
// take nothing of what it gets.
func TestFormat(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text  string
		want  Format
		fault string
	}{
		{dispatchtest.Null, LabelStudio, ""},
		{"", LabelStudio, ""},
		{"cloudevents", CloudEvents, ""},
		{"cloudevents-structured", CloudEventsStructured, ""},
		{"protobuf", "protobuf", `format "protobuf" is invalid: use labelstudio, cloudevents or cloudevents-structured`},
	} {
		h := newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
		apply(t, h, RowChange{Table: HookSetting, Row: dispatchtest.Row{"hook_id": "1", "adopted": "f", "format": tt.text}})
		hook, _ := h.Hook(1)
		if hook.Format() != tt.want || hook.Fault != tt.fault || (hook.Refused == BadRow) != (tt.fault != "") {
			t.Errorf("%q: format %q, refused %v: %s", tt.text, hook.Format(), hook.Refused, hook.Fault)
		}
		apply(t, h, RowChange{Table: HookSetting, Deleted: true, Row: dispatchtest.Row{"hook_id": "1"}})
		if hook, _ = h.Hook(1); hook.Format() != LabelStudio || hook.IsRefused() {
			t.Errorf("%q: after the setting has gone: format %q, refused %v", tt.text, hook.Format(), hook.Refused)
		}
	}
	if f, err := ParseFormat("labelstudio"); err != nil || f != LabelStudio {
		t.Errorf("labelstudio: %q, %v", f, err)
	}
}
