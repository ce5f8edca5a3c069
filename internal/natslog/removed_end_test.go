package natslog_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestEndThatIsRemovedWhileItIsRead: somebody purges the stream while a tail or a history reads what it had at
// the start. They notice that nothing is left, and the tail reads what comes later.
func TestEndThatIsRemovedWhileItIsRead(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	l.LooksEvery(100 * time.Millisecond)
	r := newReader(t, l)
	r.write(t, 1, 500)
	tail, err := l.Tail(t.Context(), map[int]natslog.Bookmark{1: {}})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	history, err := l.History(t.Context(), natslog.HistoryOptions{Hook: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer history.Close()
	take(t, tail, 10)
	if err := s.Stream(t, "HOOKTAIL_test").Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	within, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for !tail.IsCaughtUp() {
		if _, _, err := tail.Next(within); err != nil {
			t.Fatalf("tail: %v", err)
		}
	}
	for err == nil {
		_, err = history.Next(within)
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("history: %v", err)
	}
	r.write(t, 501, 501)
	if messages, _ := take(t, tail, 1); messages[0].Number != 501 {
		t.Errorf("the next message is number %d", messages[0].Number)
	}
}
