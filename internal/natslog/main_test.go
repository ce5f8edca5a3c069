package natslog_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
	"github.com/hooktail/hooktail/mapping"
)

// open is a log that was set up.
func open(t *testing.T, s *natstest.Server) *natslog.Log {
	t.Helper()
	l, err := natslog.Open(natslog.Options{Slot: "test", URL: s.URL(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if err := l.SetUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// reader is a Writer with the position of a stream of its own.
type reader struct {
	*natslog.Writer
	mu     sync.Mutex
	prefix natslog.Prefix
	stored map[string][]byte
}

func newReader(t *testing.T, l *natslog.Log) *reader {
	t.Helper()
	r := &reader{stored: make(map[string][]byte)}
	w, err := natslog.NewWriter(t.Context(), l, natslog.WriterOptions{
		Prefix: func() natslog.Prefix {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.prefix
		},
		Store: func(_ context.Context, id string, payload []byte, _ uint64) error {
			r.stored[id] = payload
			return nil
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Writer = w
	return r
}

// passed moves the prefix.
func (r *reader) passed(lsn cdc.LSN) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prefix = natslog.Prefix{Timeline: 1, LSN: lsn}
}

// event is an event of that commit.
func event(commit cdc.LSN) *mapping.Event {
	return &mapping.Event{
		ID: mapping.ID{Timeline: 1, Commit: commit}, Action: mapping.AnnotationCreated, Project: 3, Task: int64(commit),
		Committed: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Payload: []byte(`"annotation": {"id": 1}`),
	}
}

// to are deliveries of the event to the hooks; done counts them.
func to(e *mapping.Event, done func(), hooks ...int64) (out []dispatch.Delivery) {
	for _, h := range hooks {
		out = append(out, dispatch.Delivery{Target: hook.Target{Hook: h, Action: e.Action, Payload: h != 9}, Event: e, Done: done})
	}
	return out
}

// take reads the next messages of the log.
func take(t *testing.T, tail *natslog.Tail, n int) (messages []*natslog.Message, progress []*natslog.Progress) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for range n {
		m, p, err := tail.Next(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(messages), err)
		}
		messages, progress = append(messages, m), append(progress, p)
	}
	return messages, progress
}

// allMarks are bookmarks of all partitions at the beginning.
func allMarks() map[int]natslog.Bookmark {
	marks := make(map[int]natslog.Bookmark)
	for p := range natslog.Partitions {
		marks[p] = natslog.Bookmark{}
	}
	return marks
}
