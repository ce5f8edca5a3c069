package dispatch

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// seriesOf returns the number of series of all metrics for the hook.
func seriesOf(t *testing.T, reg prometheus.Gatherer, hook string) (names []string) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, pair := range metric.GetLabel() {
				if pair.GetName() == "hook" && pair.GetValue() == hook {
					names = append(names, family.GetName())
				}
			}
		}
	}
	return names
}

// TestSeriesGoWithTheirHook: the series of a hook are removed with it, however it is
// removed, and do not return when an attempt ends afterwards.
func TestSeriesGoWithTheirHook(t *testing.T) {
	for name, gone := range map[string]hook.RowChange{
		"deleted":     deleteRow(hook.Webhook, 1),
		"all deleted": {Table: hook.Webhook, Truncated: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				reg := prometheus.NewRegistry()
				answer := make(chan struct{})
				b := newBench(t, Options{Store: newFakeStore(), Metrics: NewMetrics(reg)}, func(*http.Request) (*http.Response, error) {
					<-answer
					return dispatchtest.Answer(500), nil
				}, hostRow(1), hostRow(2))
				b.enqueue(t, 1, 1, 1)
				b.enqueue(t, 1, 2, 2)
				synctest.Wait()
				if len(seriesOf(t, reg, "1")) < 20 {
					t.Fatalf("the hook has %v", seriesOf(t, reg, "1"))
				}
				apply(t, b.hooks, gone)
				is := func(when string) {
					t.Helper()
					synctest.Wait()
					if names := seriesOf(t, reg, "1"); len(names) > 0 {
						t.Errorf("%s: series of a hook that is gone: %s", when, strings.Join(names, " "))
					}
				}
				is("with two attempts under way")
				close(answer)
				is("after them")
				b.enqueue(t, 1, 3, 3) // which was matched before
				is("with a delivery that comes late")
				b.Settings([]state.Setting{{Hook: 1, Paused: true}}) // whose row is still there
				is("with a setting")
				time.Sleep(time.Hour) //nolint:forbidigo // the bubble's clock
				is("later")
			})
		})
	}
}

// TestSeriesGoWithAHookThatLoadDoesNotFind: the hook was deleted while another instance
// led.
func TestSeriesGoWithAHookThatLoadDoesNotFind(t *testing.T) {
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	newHooks := func(rows ...dispatchtest.Row) *hook.Set {
		h := hook.NewSet(hook.Options{Log: slog.New(slog.DiscardHandler), Counter: m})
		for _, r := range rows {
			apply(t, h, hook.RowChange{Table: hook.Webhook, Row: r})
		}
		return h
	}
	newHooks(dispatchtest.HookRow(1, "http://x/"), dispatchtest.HookRow(2, "http://x/"))
	h := newHooks(dispatchtest.HookRow(2, "http://x/"))
	left := map[int64]*hook.Hook{}
	for _, hook := range h.All() {
		left[hook.ID] = hook
	}
	m.Keep(left) // as Load does
	if names := seriesOf(t, reg, "1"); len(names) > 0 {
		t.Errorf("series of a hook that is gone: %s", strings.Join(names, " "))
	}
	if len(seriesOf(t, reg, "2")) == 0 {
		t.Error("the other hook has no series")
	}
}
