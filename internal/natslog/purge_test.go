package natslog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

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

// delivered delivers the messages of partition 1, as many as the log has, and writes the bookmark.
func delivered(t *testing.T, l *natslog.Log, messages int) {
	t.Helper()
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	read, progress := take(t, tail, messages)
	for i, m := range read {
		taken, targets, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		progress[i].Done(taken, targets[0].Hook)
	}
	mark, _ := progress[0].Bookmark()
	bookmarked(t, l, mark)
}

// bookmarked writes the bookmark of partition 1.
func bookmarked(t *testing.T, l *natslog.Log, mark natslog.Bookmark) {
	t.Helper()
	bookmarks, err := l.Bookmarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bookmarks.Take(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	if err := bookmarks.Write(t.Context(), 1, mark); err != nil {
		t.Fatal(err)
	}
}

// purgerOf is a Purger of the writer, whose samples are soon durable.
func purgerOf(t *testing.T, l *natslog.Log, w *natslog.Writer) (*natslog.Purger, *natslog.Holdback) {
	t.Helper()
	hold := natslog.NewHoldback(w, time.Millisecond, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go hold.Run(ctx) //nolint:errcheck // it ends with the test
	return natslog.NewPurger(l, hold, 0), hold
}

func info(t *testing.T, l *natslog.Log) *jetstream.StreamInfo {
	t.Helper()
	i, err := l.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestPurgeBelievesNoBookmarkOfAnotherLog: the servers lost their power, or the log was deleted and
// created again, and the bookmark is about messages that are gone. At their sequences are others,
// which no sender has delivered yet.
func TestPurgeBelievesNoBookmarkOfAnotherLog(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, s *natstest.Server, synced string){
		"cut back": func(_ *testing.T, s *natstest.Server, synced string) {
			s.Stop()
			s.CutBack(synced)
			s.Start()
		},
		"created again": func(t *testing.T, s *natstest.Server, _ string) {
			t.Helper()
			s.DeleteStream(t, natslog.NamesOf("test").Stream)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := open(t, s)
			r := newReader(t, l)
			r.write(t, 1, 5)
			synced := s.Copy()
			r.write(t, 6, natslog.FenceMessages+20)
			tail, err := l.Tail(t.Context(), allMarks())
			if err != nil {
				t.Fatal(err)
			}
			defer tail.Close()
			messages, progress := take(t, tail, natslog.FenceMessages+20)
			for i, m := range messages {
				taken, _, err := progress[i].Take(m)
				if err != nil {
					t.Fatal(err)
				}
				progress[i].Done(taken, 1)
			}
			mark, _ := progress[0].Bookmark()
			lose(t, s, synced)
			wait(t, func() error { return l.SetUp(t.Context()) })
			bookmarked(t, l, mark) // the bucket was synced later
			next := newReader(t, l)
			const first, last = 1000, 1009
			next.write(t, first, last)
			purger, hold := purgerOf(t, l, next.Writer)
			behind := func() uint64 {
				t.Helper()
				survey, err := l.Survey(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return survey.Partitions[1].Behind
			}
			if n := behind(); n < last-first+1 {
				t.Errorf("%d messages are to be delivered", n)
			}
			for n := range 2 { // the bookmark of the first time counts the second time
				next.write(t, last+1+n, last+1+n)
				end := info(t, l).State.LastSeq
				wait(t, func() error {
					if hold.End() < end {
						return errors.New("no sample of the event is durable")
					}
					_, err := purger.Run(t.Context(), lsn((last+1+n)*0x100+1))
					return err
				})
			}
			have := events(t, l)
			for n := first; n <= last; n++ {
				if id := event(lsn(n * 0x100)).ID.String(); !have[id] {
					t.Errorf("event %s was purged, and not delivered", id)
				}
			}
		})
	}
}

// TestFullLogOfDeliveredMessages: a log is full when its reader begins a term, and has an event of
// a later commit than the next one that the reader has to write. When all that it has is delivered,
// there is room again.
func TestFullLogOfDeliveredMessages(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	r := newReader(t, l)
	r.write(t, 1, 10)
	if err := r.Enqueue(t.Context(), to1(event(lsn(20*0x100)))); err != nil {
		t.Fatal(err)
	}
	config := s.Stream(t, l.Names().Stream).CachedInfo().Config
	config.MaxMsgs = natslog.FenceMessages + 11
	s.Update(t, config)
	delivered(t, l, 11)

	next := newReader(t, l)
	const position = 10*0x100 + 1
	next.passed(position)
	purger, _ := purgerOf(t, l, next.Writer)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	written := make(chan error, 1)
	go func() { written <- next.Enqueue(ctx, to1(event(lsn(11*0x100)))) }()
	wait(t, func() error {
		if _, err := purger.Run(t.Context(), position); err != nil {
			return err
		}
		select {
		case err := <-written:
			if err != nil {
				t.Error(err)
			}
			return nil
		default:
			return errors.New("the log is still full")
		}
	})
}
