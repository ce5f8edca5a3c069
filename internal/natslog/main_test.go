package natslog_test

import (
	"context"
	"errors"
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
	return openAt(t, s.URL(), 1)
}

// openAt is open for several servers, each of which has the log.
func openAt(t *testing.T, url string, servers int) *natslog.Log {
	t.Helper()
	return openWith(t, natslog.Options{URL: url, Replicas: servers})
}

// openWith is open with these options.
func openWith(t *testing.T, o natslog.Options) *natslog.Log {
	t.Helper()
	o.Slot, o.Log = "test", slog.New(slog.DiscardHandler)
	l, err := natslog.Open(o)
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
	r, err := tryReader(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryReader(ctx context.Context, l *natslog.Log) (*reader, error) {
	r := &reader{stored: make(map[string][]byte)}
	w, err := natslog.NewWriter(ctx, l, natslog.WriterOptions{
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
	r.Writer = w
	return r, err
}

// passed moves the prefix.
func (r *reader) passed(lsn cdc.LSN) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prefix = natslog.Prefix{Timeline: 1, LSN: lsn}
}

// write writes those of the events that the log does not have, and moves the prefix behind each.
func (r *reader) write(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		e := event(lsn(n * 0x100))
		if r.Has(e.ID, 1) {
			continue
		}
		if err := r.Enqueue(t.Context(), to1(e)); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		r.passed(e.ID.Commit + 1)
	}
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(messages) < n {
		m, p, err := tail.Next(ctx)
		if err != nil {
			t.Fatalf("after %d messages: %v", len(messages), err)
		}
		if m == nil {
			continue
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

// to1 is a delivery of the event to hook 1.
func to1(e *mapping.Event) []dispatch.Delivery { return to(e, func() {}, 1) }

// wait calls check until it returns nil.
func wait(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

// retried calls f until the connection is there again.
func retried(t *testing.T, f func() error) (err error) {
	t.Helper()
	wait(t, func() error {
		err = f()
		if errors.Is(err, natslog.ErrFenced) || err == nil {
			return nil
		}
		return err
	})
	return err
}

// events are the ids of all events in the log.
func events(t *testing.T, l *natslog.Log) map[string]bool {
	t.Helper()
	var tail *natslog.Tail
	wait(t, func() (err error) {
		tail, err = l.Tail(t.Context(), allMarks())
		return err
	})
	defer tail.Close()
	ids := make(map[string]bool)
	for !tail.IsCaughtUp() {
		messages, _ := take(t, tail, 1)
		ids[messages[0].ID] = true
	}
	return ids
}

// answers waits until the client has reconnected.
func answers(t *testing.T, l *natslog.Log) {
	t.Helper()
	wait(t, func() error {
		_, err := l.Info(t.Context())
		return err
	})
}
