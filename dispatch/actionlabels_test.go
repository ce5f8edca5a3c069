package dispatch

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/mapping"
)

// TestActionLabelsStayFew: users who may emit events can invent any number of names. The
// first ones have series of their own, for all hooks; the built-in actions always do.
func TestActionLabelsStayFew(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	for i := range 10 * maxCustomActions {
		m.hook(1+int64(i%2)).count(mapping.Action(fmt.Sprintf("CUSTOM_%d", i)), delivered)
	}
	for _, action := range []mapping.Action{mapping.TaskCreated, mapping.TasksDeleted, "TASK_DELETED", "TASK_COMPLETED", "TASK_REOPENED"} {
		m.hook(1).count(action, dead)
		if n := gathered(t, reg, "hooktail_deliveries_total", string(action), "1", "dead"); n != 1 {
			t.Errorf("%v of %s", n, action)
		}
	}
	const each, perHook, own = int(filtered), maxCustomActions / 2, 5
	if n, want := m.series(t, "hooktail_deliveries_total"), each*(2*(perHook+1)+own); n != want {
		t.Errorf("%d series, want %d", n, want)
	}
	for _, hook := range []string{"1", "2"} {
		if n := gathered(t, reg, "hooktail_deliveries_total", other, hook, "delivered"); n != 9*maxCustomActions/2 {
			t.Errorf("%v other actions of hook %s", n, hook)
		}
	}
	if n := gathered(t, reg, "hooktail_deliveries_total", "CUSTOM_0", "1", "delivered"); n != 1 {
		t.Errorf("%v of the first custom action", n)
	}
	if kept := len(m.hooks[1].deliveries); kept > perHook+1+own {
		t.Errorf("%d actions are kept for a hook", kept)
	}
}
