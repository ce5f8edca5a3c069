package hook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// sifts notes what Sift tells.
type sifts struct{ leftOut, failed []int64 }

func (s *sifts) LeftOut(t Target)         { s.leftOut = append(s.leftOut, t.Hook) }
func (s *sifts) Failed(t Target, _ error) { s.failed = append(s.failed, t.Hook) }

// TestSift: each target's own filter decides, under its own spelling of the action and over
// the body with the payload, and a fault leaves nothing out.
func TestSift(t *testing.T) {
	h := newTestHooks(t)
	for id, filter := range map[int64]string{
		1: dispatchtest.Null,
		2: `task.id == 7`,
		3: `task.id == 8`,
		4: `action == "TASKS_CREATED"`,
		5: `task.nothing == 8`,
		6: `task.id = `, // does not compile
		7: `task.id`,    // no boolean
		8: `task.id == 7`,
		9: `task.id != 7`,
	} {
		row := dispatchtest.HookRow(id, "http://x/")
		if id == 4 {
			row = row.With("send_for_all_actions", "f")
			apply(t, h, actionRow(1, 4, "TASKS_CREATED"))
		}
		if id >= 8 {
			row = row.With("send_payload", "f")
		}
		apply(t, h, RowChange{Table: Webhook, Row: row}, choiceRow(fmt.Sprint(id), "filter", filter))
	}
	e := &mapping.Event{Action: mapping.TaskCreated, Organization: 1, Project: 1, Payload: []byte(`"task": {"id": 7}`)}
	var told sifts
	matched := h.Match(e, nil)
	if got := targets(Sift(e, matched, &told)); got != "1:TASK_CREATED 2:TASK_CREATED 4:TASKS_CREATED 5:TASK_CREATED 6:TASK_CREATED 7:TASK_CREATED 8:TASK_CREATED-" {
		t.Errorf("gets it: %s", got)
	}
	if fmt.Sprint(told) != "{[3 9] [5 7]}" {
		t.Errorf("left out and failed: %v", told)
	}
	if hook, _ := h.Hook(6); len(hook.Choice.Faults) != 1 || !strings.HasPrefix(hook.Choice.Faults[0], "filter: line 1, column 9: ") {
		t.Errorf("faults %q", hook.Choice.Faults)
	}
}

// TestFaultOfAChoiceIsLoggedOnce, and the hook is served without it.
func TestFaultOfAChoiceIsLoggedOnce(t *testing.T) {
	var log dispatchtest.Log
	h := NewSet(Options{Log: log.Logger()})
	apply(t, h,
		RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/")},
		choiceRow("1", "filter", "1 +", "rate", "fast"), choiceRow("1", "filter", "1 +", "rate", "fast"),
		RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, "http://x/another")})
	if n := strings.Count(log.String(), "level=ERROR"); n != 1 || !strings.Contains(log.String(), "hook=1") || !strings.Contains(log.String(), `\"fast\" is not a rate`) {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
	hook, _ := h.Hook(1)
	if hook.IsRefused() || hook.Limit() != (Rate{}) || hook.Choice.orEmpty().filter != nil {
		t.Errorf("served as %+v", hook)
	}
	apply(t, h, choiceRow("1", "filter", "true", "rate", "10/s"))
	if hook, _ = h.Hook(1); len(hook.Choice.orEmpty().Faults) > 0 || hook.Limit().Requests != 10 || hook.Choice.orEmpty().filter == nil {
		t.Errorf("corrected: %+v", hook.Choice)
	}
}

func TestParseRate(t *testing.T) {
	for text, perSecond := range map[string]float64{"10/s": 10, "600/m": 10, "1/h": 1. / 3600, "1000000/s": 1e6} {
		if r, err := ParseRate(text); err != nil || r.PerSecond() != perSecond {
			t.Errorf("%s: %v a second, %v", text, r.PerSecond(), err)
		}
	}
	for _, text := range []string{"", "10", "/s", "0/s", "-1/s", "+1/s", "1.5/s", "10/d", "10/", "10 /s", "10/s ", "1000001/s", "99999999999999999999/s", "s/10"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
