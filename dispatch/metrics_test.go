package dispatch

import (
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestLabelsStayFew(t *testing.T) {
	m := NewMetrics(nil)
	for id := int64(1); id <= 300; id++ {
		m.hook(id).count("TASK_CREATED", delivered)
	}
	if n := testutil.CollectAndCount(m.deliveries); n != (maxLabels+1)*int(outcomes) {
		t.Errorf("%d series", n)
	}
	if n := testutil.ToFloat64(m.deliveries.WithLabelValues("other", "TASK_CREATED", "delivered")); n != 100 {
		t.Errorf("%v of the others", n)
	}
	m.forget(7)
	m.hook(301).count("TASK_CREATED", delivered)
	if n := testutil.ToFloat64(m.deliveries.WithLabelValues("301", "TASK_CREATED", "delivered")); n != 1 {
		t.Errorf("%v of a hook that took the place of another", n)
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	reg := prometheus.NewRegistry()
	NewMetrics(reg).hook(1).count("TASK_CREATED", delivered)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

// The labels are those that the documentation and the rules for alerts name.
func TestLabels(t *testing.T) {
	for i, want := range []string{"2xx", "3xx", "4xx", "5xx", "timeout", "refused", "dns", "tls", "blocked", "reset"} {
		if got := Result(i).String(); got != want {
			t.Errorf("result %d is %s, want %s", i, got, want)
		}
	}
	for i, want := range []string{"none", "bad_url", "bad_headers", "blocked", "rejected", "exhausted", "gone", "bad_secret", "suspended"} {
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
	h.begin(&Hook{}, nil)
	h.count("TASK_CREATED", dead)
	h.attempt(Outcome{})
	h.latency(1)
	h.enter(StateLive)
	m.forget(1)
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
		h.attempt(Outcome{})
		h.latency(1)
	}
	if n := testutil.ToFloat64(m.attempts.WithLabelValues(strconv.Itoa(1), "2xx")); n < 1 {
		b.Fatal("nothing was counted")
	}
}
