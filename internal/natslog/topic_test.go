package natslog_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestTopicThatLosesItsEnd: what a topic has lost is noticed, at the next look and at the
// next event, so that the slot is not confirmed beyond it.
func TestTopicThatLosesItsEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		cut  func(t *testing.T, s *natstest.Server)
		want error
	}{
		{"deleted", func(t *testing.T, s *natstest.Server) { s.DeleteStream(t, "HOOKTAIL_test_TOPIC") }, natslog.ErrNoTopic},
		{"made anew", func(t *testing.T, s *natstest.Server) {
			s.DeleteStream(t, "HOOKTAIL_test_TOPIC")
			openTopic(t, s)
		}, natslog.ErrTopicCut},
		{"intact", func(*testing.T, *natstest.Server) {}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := openTopic(t, s)
			topic, w := topicWriter(t, l)
			done := 0
			put := func(n int) error {
				e := event(lsn(n * 0x100))
				return w.Enqueue(t.Context(), []dispatch.Delivery{{Target: topic.Target(e), Event: e, Done: func() { done++ }}})
			}
			if err := errors.Join(put(1), put(2), put(2)); err != nil || done != 3 {
				t.Fatalf("%d done: %v", done, err)
			}
			if info, err := s.Stream(t, "HOOKTAIL_test_TOPIC").Info(t.Context()); err != nil || info.State.Msgs != 2 {
				t.Fatalf("%d messages: %v", info.State.Msgs, err)
			}
			tt.cut(t, s)
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			hold := natslog.NewHoldback(w, time.Minute, slog.New(slog.DiscardHandler))
			if err := hold.Run(ctx); !errors.Is(err, tt.want) && (tt.want != nil || ctx.Err() == nil) {
				t.Errorf("a look: %v, want %v", err, tt.want)
			}
			if err := put(3); (err == nil) != (tt.want == nil) {
				t.Errorf("the next event: %v", err)
			}
		})
	}
}

// openTopic is a log with a topic that was set up.
func openTopic(t *testing.T, s *natstest.Server) *natslog.Log {
	t.Helper()
	return openWith(t, natslog.Options{URL: s.URL(), Topic: &natslog.TopicOptions{Keep: time.Hour, Sync: time.Minute}})
}

// topicWriter opens the log's topic, with a writer that publishes to it.
func topicWriter(t *testing.T, l *natslog.Log) (*natslog.Topic, *natslog.Writer) {
	t.Helper()
	topic, err := l.OpenTopic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := natslog.NewWriter(t.Context(), l, natslog.WriterOptions{
		Prefix: func() natslog.Prefix { return natslog.Prefix{} }, Topic: topic, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return topic, w
}
