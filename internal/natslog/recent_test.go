package natslog_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestRecent: the newest events for a hook come first, however rare they are in the log, and
// times and filters bound them.
func TestRecent(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	if got, err := l.Recent(t.Context(), natslog.RecentOptions{Hook: 1, Limit: 5}); err != nil || len(got.Messages) > 0 || got.More || got.Partial {
		t.Errorf("of an empty log: %+v, %v", got, err)
	}
	r := newReader(t, l)
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	const events = 3000 // a minute each
	var all []dispatch.Delivery
	for n := range events {
		e := event(cdc.LSN(n + 1))
		e.Committed = began.Add(time.Duration(n) * time.Minute)
		hooks := []int64{1}
		switch { // 1 and 65 have the same partition
		case n%1000 == 10:
			hooks = []int64{1, 65}
		case n%100 == 50:
			hooks = []int64{2}
		}
		all = append(all, to(e, func() {}, hooks...)...)
	}
	if err := r.Enqueue(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		o    natslog.RecentOptions
		want []int64 // tasks
		more bool
	}{
		{"newest", natslog.RecentOptions{Hook: 1, Limit: 2}, []int64{3000, 2999}, true},
		{"rare", natslog.RecentOptions{Hook: 65, Limit: 5}, []int64{2011, 1011, 11}, false},
		{"exactly all", natslog.RecentOptions{Hook: 65, Limit: 3}, []int64{2011, 1011, 11}, false},
		{"but one", natslog.RecentOptions{Hook: 65, Limit: 2}, []int64{2011, 1011}, true},
		{"filter", natslog.RecentOptions{Hook: 1, Limit: 5, Wants: func(m *natslog.Message) bool { return m.Event.Task == 7 }}, []int64{7}, false},
		{"since", natslog.RecentOptions{Hook: 65, Limit: 5, Since: began.Add(1010 * time.Minute)}, []int64{2011, 1011}, false},
		{"until", natslog.RecentOptions{Hook: 65, Limit: 5, Until: began.Add(1900 * time.Minute)}, []int64{1011, 11}, false},
		{"before all", natslog.RecentOptions{Hook: 1, Limit: 5, Until: began.Add(-time.Hour)}, nil, false},
		{"after all", natslog.RecentOptions{Hook: 1, Limit: 5, Since: began.Add(10000 * time.Minute)}, nil, false},
		{"no event", natslog.RecentOptions{Hook: 3, Limit: 5}, nil, false},
	} {
		got, err := l.Recent(t.Context(), tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var tasks []int64
		for _, m := range got.Messages {
			if tasks = append(tasks, m.Event.Task); m.Bytes == 0 || len(m.Event.Payload) > 0 {
				t.Errorf("%s: payload of %d bytes, %d read", tt.name, m.Bytes, len(m.Event.Payload))
			}
		}
		if diff := cmp.Diff(tt.want, tasks); diff != "" || got.More != tt.more || got.Partial {
			t.Errorf("%s: more %v, partial %v, tasks (-want +got):\n%s", tt.name, got.More, got.Partial, diff)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, err := l.Recent(ctx, natslog.RecentOptions{Hook: 65, Limit: 5, Wants: func(*natslog.Message) bool { cancel(); return true }})
	if err != nil || !got.Partial || len(got.Messages) > 0 {
		t.Errorf("when the time has ended in the first window: %+v, %v", got, err)
	}
	m, err := l.At(t.Context(), natslog.FenceMessages+11)
	if err != nil || m == nil || len(m.Event.Payload) == 0 {
		t.Errorf("message 11: %+v, %v", m, err)
	}
}
