package dispatch

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

// gathered returns the sample of the metric with these label values, in the order of the
// labels' names.
func gathered(t testing.TB, reg prometheus.Gatherer, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var values []string
			for _, pair := range metric.GetLabel() {
				values = append(values, pair.GetValue())
			}
			if family.GetName() == name && slices.Equal(values, labels) {
				return metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
			}
		}
	}
	t.Errorf("no %s%v", name, labels)
	return 0
}

// shown returns a sample of the hooks' metrics but histograms, with these label values.
func (m *Metrics) shown(t testing.TB, name string, labels ...string) float64 {
	t.Helper()
	return gathered(t, m.registry(), name, labels...)
}

// series returns the number of samples of the metric.
func (m *Metrics) series(t testing.TB, name string) int {
	t.Helper()
	n, err := testutil.GatherAndCount(m.registry(), name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (m *Metrics) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newCollector(m))
	return reg
}

func TestLabelsStayFew(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	for id := int64(1); id <= 300; id++ {
		h := m.hook(id)
		h.count("TASK_CREATED", delivered)
		h.backlog(2, 1)
		h.enter(StateLive)
		h.age(time.Duration(id) * time.Second)
	}
	m.hook(250).enter(StateFailing)
	if n := m.series(t, "hooktail_deliveries_total"); n != (maxLabels+1)*int(filtered) {
		t.Errorf("%d series", n)
	}
	for name, want := range map[string]float64{
		"hooktail_parked": 200, "hooktail_dead": 100, "hooktail_hook_state": float64(StateFailing), "hooktail_oldest_parked_seconds": 300,
	} {
		if got := gathered(t, reg, name, "other"); got != want {
			t.Errorf("%s of the others is %v, want %v", name, got, want)
		}
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != maxLabels+1 {
			t.Errorf("%d series of %s, %v", n, name, err)
		}
	}
	m.Forget(7)
	m.hook(301).count("TASK_CREATED", delivered)
	if n := gathered(t, reg, "hooktail_deliveries_total", "TASK_CREATED", "301", "delivered"); n != 1 {
		t.Errorf("%v of a hook that took the place of another", n)
	}
	m.hook(300).count("TASK_CREATED", delivered)
	m.Forget(250)
	if n := gathered(t, reg, "hooktail_deliveries_total", "TASK_CREATED", "other", "delivered"); n != 101 {
		t.Errorf("%v of the others, want those that there were: a counter does not go back, and its hooks do not leave it", n)
	}
	if n := gathered(t, reg, "hooktail_parked", "other"); n != 198 {
		t.Errorf("%v parked of the others", n)
	}
}

// A delivery that ends after its hook was deleted creates no series.
func TestForgottenHookStaysForgotten(t *testing.T) {
	m := NewMetrics(nil)
	h := m.hook(1)
	h.count("TASK_CREATED", delivered)
	m.Forget(1)
	h.count("TASK_CREATED", delivered)
	h.count("ANNOTATION_CREATED", delivered)
	h.attempt(&send.Outcome{})
	if n := m.series(t, "hooktail_deliveries_total") + m.series(t, "hooktail_delivery_attempts_total") + len(m.readings()); n != 0 {
		t.Errorf("%d series of a hook that is gone", n)
	}
}

// Actions that a hook wants have series at 0 before the first event, in the hook's
// spelling; a word that is no action has none.
func TestMetricsBeginAtZero(t *testing.T) {
	for _, tt := range []struct {
		name    string
		profile mapping.Profile
		actions []string // nil: all
		want    []string
	}{
		{"all of the guide", mapping.Guide, nil, []string{
			"ANNOTATIONS_DELETED", "ANNOTATION_CREATED", "ANNOTATION_UPDATED", "PROJECT_CREATED", "PROJECT_DELETED", "PROJECT_UPDATED", "TASK_CREATED",
		}},
		{"all of the application", mapping.Native, nil, []string{
			"ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED", "ANNOTATION_CREATED", "ANNOTATION_UPDATED",
			"PROJECT_CREATED", "PROJECT_DELETED", "PROJECT_UPDATED", "TASKS_CREATED", "TASKS_DELETED",
		}},
		{"chosen", mapping.Guide, []string{"TASKS_CREATED", "PROJECT_UPDATED", "NO_SUCH_ACTION"}, []string{"PROJECT_UPDATED", "TASKS_CREATED"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := NewMetrics(nil)
			h := hook.NewSet(hook.Options{Log: slog.New(slog.DiscardHandler), Counter: m, Actions: tt.profile.Actions()})
			r := dispatchtest.HookRow(1, "http://x/")
			if tt.actions != nil {
				r = r.With("send_for_all_actions", "f")
			}
			apply(t, h, hook.RowChange{Table: hook.Webhook, Row: r})
			for i, action := range tt.actions {
				apply(t, h, actionRow(int64(i+1), 1, action))
			}
			if n, want := m.series(t, "hooktail_deliveries_total"), len(tt.want)*int(filtered); n != want {
				t.Errorf("%d series of deliveries, want %d", n, want)
			}
			if n := m.series(t, "hooktail_delivery_attempts_total"); n != int(send.Results) {
				t.Errorf("%d series of attempts", n)
			}
			for _, action := range tt.want {
				for _, outcome := range outcomeLabels[:filtered] {
					if n := m.shown(t, "hooktail_deliveries_total", action, "1", outcome); n != 0 {
						t.Errorf("%v %s %s", n, action, outcome)
					}
				}
			}
			if n, want := m.series(t, "hooktail_deliveries_total"), len(tt.want)*int(filtered); n != want {
				t.Errorf("%d series of deliveries, want %d: some were not there", n, want)
			}
		})
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewMetrics(reg).hook(1).count("TASK_CREATED", delivered)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// The labels are those of the documentation and of the alert rules.
func TestLabels(t *testing.T) {
	for i, want := range []string{"2xx", "3xx", "4xx", "5xx", "timeout", "refused", "dns", "tls", "blocked", "reset"} {
		if got := send.Result(i).String(); got != want {
			t.Errorf("result %d is %s, want %s", i, got, want)
		}
	}
	for i, want := range []string{"none", "bad_url", "bad_headers", "blocked", "rejected", "exhausted", "gone", "bad_secret", "suspended", "unstorable", "bad_row"} {
		if got := Reason(i).String(); got != want {
			t.Errorf("reason %d is %s, want %s", i, got, want)
		}
		if remedy := Reason(i).remedy(); (remedy == "") != (i == 0) {
			t.Errorf("reason %s has the remedy %q", Reason(i), remedy)
		}
	}
}

func TestNilMetricsCountNothing(t *testing.T) {
	var m *Metrics
	h := m.hook(1)
	h.begin(&hook.Hook{}, nil)
	h.count("TASK_CREATED", dead)
	h.attempt(&send.Outcome{})
	h.latency(1)
	h.enter(StateLive)
	m.Forget(1)
	if h != nil {
		t.Error("a nil Metrics has hooks")
	}
}

func BenchmarkCount(b *testing.B) {
	m := NewMetrics(nil)
	h := m.hook(1)
	b.ReportAllocs()
	for b.Loop() {
		h.count("TASK_CREATED", delivered)
		h.attempt(&send.Outcome{})
		h.latency(1)
	}
	if n := m.shown(b, "hooktail_delivery_attempts_total", "1", "2xx"); n < 1 {
		b.Fatal("nothing was counted")
	}
}

// TestCountingWaitsForNoScrape: a lane that counts an action for the first time does not wait
// until the scrape has been read.
func TestCountingWaitsForNoScrape(t *testing.T) {
	m := NewMetrics(nil)
	m.hook(1).count("TASK_CREATED", delivered)
	c := newCollector(m)
	out, counted := make(chan prometheus.Metric), make(chan struct{})
	go func() {
		defer close(out)
		c.Collect(out)
	}()
	for metric := range out {
		if metric.Desc() != c.deliveries {
			continue
		}
		go func() {
			defer close(counted)
			m.hook(1).count("PROJECT_UPDATED", delivered)
		}()
		select {
		case <-counted:
		case <-time.After(10 * time.Second):
			t.Error("counting waits for the scrape")
		}
		break
	}
	for range out { // the rest
	}
}
