package dispatch

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// TestFilterMetrics: hooks with filters have series for them, which are removed with the
// hook.
func TestFilterMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	hooks := hook.NewSet(hook.Options{Log: (&dispatchtest.Log{}).Logger(), Counter: m})
	apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://x/")})
	before := m.series(t, "hooktail_deliveries_total")
	m.Filtered(1, mapping.TaskCreated)
	m.Filtered(1, mapping.TaskCreated)
	m.Filtered(2, mapping.TaskCreated) // there is no such hook
	m.FilterFailed(1)
	m.FilterFailed(2)
	if n := gathered(t, reg, "hooktail_deliveries_total", string(mapping.TaskCreated), "1", "filtered"); n != 2 {
		t.Errorf("%v filtered", n)
	}
	if n := m.series(t, "hooktail_deliveries_total") - before; n != 1 {
		t.Errorf("%d series more", n)
	}
	if n := m.shown(t, "hooktail_filter_failures_total", "1"); n != 1 || m.series(t, "hooktail_filter_failures_total") != 1 {
		t.Errorf("%v failed, %d series", n, m.series(t, "hooktail_filter_failures_total"))
	}
	apply(t, hooks, deleteRow(hook.Webhook, 1))
	m.Filtered(1, mapping.TaskCreated)
	m.FilterFailed(1)
	if n := m.series(t, "hooktail_deliveries_total") + m.series(t, "hooktail_filter_failures_total"); n != 0 {
		t.Errorf("%d series of a hook that is gone", n)
	}
	var nobody *Metrics
	nobody.Filtered(1, mapping.TaskCreated)
	nobody.FilterFailed(1)
}
