package natslog_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestPurge: what is delivered and confirmed goes, and nothing else: not what is above a
// bookmark, nor what is not confirmed, nor the last message of a partition; and a sender goes on
// from its bookmark.
func TestPurge(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	r := newReader(t, l)
	for n := 1; n <= 10; n++ {
		if err := r.Enqueue(t.Context(), to(event(lsn(n*0x100)), func() {}, 1, 2)); err != nil {
			t.Fatal(err)
		}
	}
	r.passed(0xA01)
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	messages, progress := take(t, tail, 20)
	tail.Close()
	marks := allMarks()
	bookmarks, err := l.Bookmarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range messages {
		taken, targets, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		if m.Partition == 1 && i < 12 || m.Partition == 2 { // six of partition 1, all of partition 2
			progress[i].Done(taken, targets[0].Hook)
		}
	}
	for _, i := range []int{0, 1} {
		p := messages[i].Partition
		marks[p], _ = progress[i].Bookmark()
	}
	hold := natslog.NewHoldback(r.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go hold.Run(ctx) //nolint:errcheck // it ends with the test
	purger := natslog.NewPurger(l, hold, 0)
	purged := func(confirmed cdc.LSN, want uint64) {
		t.Helper()
		wait(t, func() error {
			if _, err := purger.Run(t.Context(), confirmed); err != nil {
				return err
			}
			if s, err := l.Survey(t.Context()); err != nil || s.Messages != want {
				return fmt.Errorf("%d messages, not %d: %w", s.Messages, want, err)
			}
			return nil
		})
	}
	purged(0xF00, 20) // without bookmarks everything is needed
	for _, i := range []int{0, 1} {
		p := messages[i].Partition
		if _, err := bookmarks.Take(t.Context(), p, 1); err != nil {
			t.Fatal(err)
		}
		if err := bookmarks.Write(t.Context(), p, marks[p]); err != nil {
			t.Fatal(err)
		}
	}
	purged(0x0, 20) // nothing is confirmed
	purged(0xF00, 5+1)
	again, err := l.Tail(t.Context(), marks)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	rest, progress := take(t, again, 4)
	for i, m := range rest {
		if _, targets, err := progress[i].Take(m); err != nil || m.Partition != 1 || len(targets) != 1 {
			t.Errorf("after the purge: %+v, %v", m, err)
		}
	}
}
