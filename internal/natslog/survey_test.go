package natslog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestSurvey: the survey has, of each partition, the messages behind its bookmark, although
// others have been written between them and although delivered ones were purged.
func TestSurvey(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	survey := func() natslog.Survey {
		t.Helper()
		s, err := l.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := survey(); s.Messages != 0 || len(s.Partitions) != 0 || !l.Connected() {
		t.Errorf("an empty log: %+v", s)
	}
	r := newReader(t, l)
	for commit := range lsn(4) {
		if err := r.Enqueue(t.Context(), to(event(commit+1), func() {}, 1, 2)); err != nil {
			t.Fatal(err)
		}
	}
	r.passed(9)
	if err := r.Enqueue(t.Context(), to(event(9), func() {}, 2)); err != nil {
		t.Fatal(err)
	}
	bookmarks, err := l.Bookmarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	messages, progress := take(t, tail, 9)
	for i, m := range messages {
		taken, _, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Partition == 2 || m.Commit <= 3 {
			progress[i].Done(taken, int64(m.Partition))
		}
	}
	for p, of := range map[int]*natslog.Progress{1: tail.Progress()[1], 2: tail.Progress()[2]} {
		if _, err := bookmarks.Take(t.Context(), p, 5); err != nil {
			t.Fatal(err)
		}
		mark, _ := of.Bookmark()
		mark.Epoch = 5
		if err := bookmarks.Write(t.Context(), p, mark); err != nil {
			t.Fatal(err)
		}
	}
	s := survey()
	want := map[int]natslog.Standing{1: {Behind: 1}, 2: {}}
	if diff := cmp.Diff(want, s.Partitions, cmpopts.IgnoreFields(natslog.Standing{}, "Oldest")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if oldest := s.Partitions[1].Oldest; oldest.IsZero() || time.Since(oldest) > time.Minute || !s.Partitions[2].Oldest.IsZero() {
		t.Errorf("oldest: %v, %v", oldest, s.Partitions[2].Oldest)
	}
	if s.Messages != 9 || s.Bytes == 0 || s.Limit != 0 || s.Prefix.LSN != 9 {
		t.Errorf("%+v", s)
	}

	r = newReader(t, l) // which goes on counting
	if err := r.Enqueue(t.Context(), to1(event(10))); err != nil {
		t.Fatal(err)
	}
	if n := survey().Partitions[1].Behind; n != 2 {
		t.Errorf("after the next reader %d messages are behind", n)
	}
}

// TestSurveyFindsTheHole: the message behind the bookmark was removed.
func TestSurveyFindsTheHole(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, nil)
	l := open(t, server)
	r := newReader(t, l)
	for commit := range lsn(3) {
		if err := r.Enqueue(t.Context(), to1(event(commit+1))); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Stream(t, l.Names().Stream).DeleteMsg(t.Context(), natslog.FenceMessages+1); err != nil {
		t.Fatal(err)
	}
	s, err := l.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if p := s.Partitions[1]; p.Hole == nil || p.Hole.Missing != event(1).ID.String() || p.Behind != 2 {
		t.Errorf("%+v", p)
	}
}

// TestMetricsOfTheWriter: batches are counted, and refusals apart. The limit of the stream is
// in the survey.
func TestMetricsOfTheWriter(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t, nil)
	l := open(t, server)
	registry := prometheus.NewRegistry()
	m := natslog.NewMetrics(registry)
	w, err := natslog.NewWriter(t.Context(), l, natslog.WriterOptions{Prefix: func() natslog.Prefix { return natslog.Prefix{} }, Log: slog.New(slog.DiscardHandler), Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Enqueue(t.Context(), to1(event(1))); err != nil {
		t.Fatal(err)
	}
	stream := server.Stream(t, l.Names().Stream)
	config := stream.CachedInfo().Config
	config.MaxBytes = int64(stream.CachedInfo().State.Bytes) + 10
	server.Update(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- w.Enqueue(ctx, to1(event(2))) }()
	wait(t, func() error {
		if n, err := testutil.GatherAndCount(registry); n != 2 || err != nil || counter(t, registry, "hooktail_log_batches_total") != 1 || counter(t, registry, "hooktail_log_refused_batches_total") < 1 {
			return fmt.Errorf("%d metrics, %w", n, err)
		}
		return nil
	})
	cancel()
	if err := <-written; !errors.Is(err, context.Canceled) {
		t.Errorf("a full stream: %v", err)
	}
	if s, err := l.Survey(t.Context()); err != nil || s.Limit != config.MaxBytes || config.Discard != jetstream.DiscardNew {
		t.Errorf("%+v, %v", s, err)
	}
}

func counter(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestSurveyNamesWhatDeletes: somebody has the servers delete what is old, or what is in the way.
func TestSurveyNamesWhatDeletes(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	config := info(t, l).Config
	for _, tt := range []struct {
		change func(c *jetstream.StreamConfig)
		want   string
	}{
		{func(*jetstream.StreamConfig) {}, ""},
		{func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 30 }, ""},
		{func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "max_age 1h0m0s"},
		{func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgsPerSubject = jetstream.DiscardOld, 5 }, "discard DiscardOld, max_msgs_per_subject 5"},
	} {
		changed := config
		tt.change(&changed)
		s.Update(t, changed)
		if survey, err := l.Survey(t.Context()); err != nil || survey.Deletes != tt.want {
			t.Errorf("%q, not %q: %v", survey.Deletes, tt.want, err)
		}
	}
}

// TestInspectNamesWhatHinders: whatever somebody changes that keeps the log from working has a name.
func TestInspectNamesWhatHinders(t *testing.T) {
	t.Parallel()
	for setting, change := range map[string]func(c *jetstream.StreamConfig){
		"max_age":      func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_msg_size": func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1 << 10 },
		"sealed":       func(c *jetstream.StreamConfig) { c.Sealed = true },
		"deny_purge":   func(c *jetstream.StreamConfig) { c.DenyPurge = true },
		"no_ack":       func(c *jetstream.StreamConfig) { c.NoAck, c.AllowAtomicPublish = true, false },
		"allow_direct": func(c *jetstream.StreamConfig) { c.AllowDirect = true },
		"subject_transform": func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "ht.test.d.01", Destination: "ht.test.d.02"}
		},
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := open(t, s)
			config := info(t, l).Config
			change(&config)
			s.Update(t, config)
			found, err := l.Inspect(t.Context())
			if err != nil || !slices.ContainsFunc(found.Deviations, func(d natslog.Deviation) bool { return d.Setting == setting }) {
				t.Errorf("%+v: %v", found.Deviations, err)
			}
		})
	}
}
