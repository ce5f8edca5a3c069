package natslog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
	"github.com/hooktail/hooktail/mapping"
)

// TestWriteAndRead: what a writer is given is what a tail reads, one message for each
// partition of an event, each with the id before it.
func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	w := newReader(t, l)
	done := 0
	one, two := event(0x100), event(0x200)
	if err := w.Enqueue(t.Context(), append(to(one, func() { done++ }, 1, 65, 2, 9), to(two, func() { done++ }, 1)...)); err != nil {
		t.Fatal(err)
	}
	if done != 5 {
		t.Errorf("%d deliveries done", done)
	}
	told := false
	w.Change(65, 0x300, func() { told = true })
	if err := w.Enqueue(t.Context(), nil); err != nil || !told {
		t.Errorf("told %t, %v", told, err)
	}
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	messages, _ := take(t, tail, 5)
	first := messages[0]
	if first.Partition != 1 || len(first.Targets) != 2 || first.Targets[1].Hook != 65 || first.ID != one.ID.String() || first.Before != "" {
		t.Errorf("the first is %+v", first)
	}
	for _, target := range first.Targets {
		if got, want := first.Event.Body(target.Action, target.Payload), one.Body(target.Action, target.Payload); !got.Equal(want) {
			t.Errorf("the body is %s, not %s", got.Bytes(), want.Bytes())
		}
	}
	if e := first.Event; e.ID != one.ID || e.Project != one.Project || e.Task != one.Task || !e.Committed.Equal(one.Committed) {
		t.Errorf("the event is %+v", e)
	}
	if bare := messages[2]; bare.Partition != 9 || len(bare.Event.Payload) != 0 || bare.Targets[0].Payload {
		t.Errorf("without payload: %+v", bare)
	}
	if next := messages[3]; next.Partition != 1 || next.Before != one.ID.String() {
		t.Errorf("the next is %+v", next)
	}
	if change := messages[4]; change.Changed != 65 || change.Event != nil || change.Before != two.ID.String() {
		t.Errorf("the change is %+v", change)
	}
	if !tail.IsCaughtUp() {
		t.Error("not caught up at the end")
	}
}

// TestNextReaderSkipsWhatIsThere: a new reader leaves out what is below the prefix and what it
// finds above it, and nothing else.
func TestNextReaderSkipsWhatIsThere(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	w := newReader(t, l)
	nothing := func() {}
	for _, step := range []struct{ event, passed int }{{0x100, 0x110}, {0x400, 0x110}, {0x200, 0x210}, {0x500, 0x210}} {
		e := event(lsn(step.event))
		if err := w.Enqueue(t.Context(), to(e, nothing, 1, 2)); err != nil {
			t.Fatal(err)
		}
		w.passed(lsn(step.passed))
	}
	next := newReader(t, l)
	for _, test := range []struct {
		event int
		hook  int64
		want  bool
	}{
		{0x100, 1, true}, {0x150, 1, true}, {0x200, 1, true}, {0x300, 1, false}, {0x400, 1, true}, {0x400, 66, true}, {0x400, 3, false}, {0x500, 2, true}, {0x600, 1, false},
	} {
		if got := next.Has(event(lsn(test.event)).ID, test.hook); got != test.want {
			t.Errorf("event %X for hook %d: %t", test.event, test.hook, got)
		}
	}
	// The second reader is below the first one's prefix when it writes.
	next.passed(0x110)
	if err := next.Enqueue(t.Context(), to(event(0x600), nothing, 1)); err != nil {
		t.Fatal(err)
	}
	third := newReader(t, l)
	for _, commit := range []int{0x100, 0x200, 0x400, 0x500, 0x600} {
		if !third.Has(event(lsn(commit)).ID, 1) {
			t.Errorf("the third reader does not find event %X", commit)
		}
	}
	promoted := mapping.ID{Timeline: 2, Commit: 0x150}
	if next.Has(promoted, 1) {
		t.Error("an event of a promoted server is taken for one of the server before")
	}
}

// TestNextReaderReadsNoPayloads: what a reader takes over is as long as the slot is behind, and
// payloads of it have no bound together.
func TestNextReaderReadsNoPayloads(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	r := newReader(t, open(t, s))
	large := []byte(`"annotation": "` + strings.Repeat("a", 400<<10) + `"`)
	const events = 20
	for n := 1; n <= events; n++ {
		e := event(lsn(n * 0x100))
		e.Payload = large
		if err := r.Enqueue(t.Context(), to1(e)); err != nil {
			t.Fatal(err)
		}
	}
	l := open(t, s)
	next := newReader(t, l)
	for n := 1; n <= events; n++ {
		if id := event(lsn(n * 0x100)).ID; !next.Has(id, 1) {
			t.Errorf("the next reader does not know event %s", id)
		}
	}
	if got, most := l.Received(), uint64(3*len(large)); got > most { // the last message is read as a whole, twice
		t.Errorf("%d bytes were read of a log of %d events of %d bytes, want %d at most", got, events, len(large), most)
	}
}

// TestDeposedReaderIsRefused: once another reader has written, the batches of the one before
// are refused, whole.
func TestDeposedReaderIsRefused(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	old := newReader(t, l)
	nothing := func() {}
	if err := old.Enqueue(t.Context(), to(event(0x100), nothing, 1, 2)); err != nil {
		t.Fatal(err)
	}
	next := newReader(t, l)
	if err := next.Enqueue(t.Context(), to(event(0x200), nothing, 1)); err != nil {
		t.Fatal(err)
	}
	for _, hooks := range [][]int64{{1}, {1, 2, 3}} {
		err := old.Enqueue(t.Context(), to(event(0x300), func() { t.Error("done") }, hooks...))
		if !errors.Is(err, natslog.ErrFenced) {
			t.Errorf("%d messages: %v", len(hooks), err)
		}
	}
	if got := events(t, l); len(got) != 2 {
		t.Errorf("the log has %v", got)
	}
}

// TestFullLog: a writer waits while the log is full, wherever in a batch that happens, and writes
// the rest when there is room.
func TestFullLog(t *testing.T) {
	t.Parallel()
	for _, room := range []int64{10, natslog.FenceMessages, natslog.FenceMessages + 1, natslog.FenceMessages + 4, natslog.FenceMessages + 9, natslog.FenceMessages + 10} {
		t.Run(fmt.Sprint(room), func(t *testing.T) {
			t.Parallel()
			s := natstest.Start(t, nil)
			l := open(t, s)
			w := newReader(t, l)
			config := l.Names().StreamConfig(1)
			config.MaxMsgs = room
			s.Update(t, config)
			const events = 10
			var deliveries []dispatch.Delivery
			for n := range events {
				deliveries = append(deliveries, to1(event(lsn((n+1)*0x100)))...)
			}
			written := make(chan error, 1)
			go func() { written <- w.Enqueue(t.Context(), deliveries) }()
			full := uint64(max(0, room-natslog.FenceMessages))
			wait(t, func() error {
				if s, err := l.Survey(t.Context()); err != nil || s.Messages < full {
					return fmt.Errorf("%d messages, not %d: %w", s.Messages, full, err)
				}
				return nil
			})
			if full < events {
				select {
				case err := <-written:
					t.Fatalf("a full log was written to: %v", err)
				case <-time.After(1500 * time.Millisecond): // more than one attempt
				}
			}
			config.MaxMsgs = -1
			s.Update(t, config)
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			tail, err := l.Tail(t.Context(), allMarks())
			if err != nil {
				t.Fatal(err)
			}
			defer tail.Close()
			messages, progress := take(t, tail, events)
			for i, m := range messages {
				if _, _, err := progress[i].Take(m); err != nil {
					t.Error(err)
				}
			}
			if got := stored(t, l); got != events {
				t.Errorf("the log has %d messages", got)
			}
		})
	}
}

// stored is the number of messages of partitions.
func stored(t *testing.T, l *natslog.Log) uint64 {
	t.Helper()
	s, err := l.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Messages
}

// TestFullLogIsPurged: a log that is full of what was delivered makes room by itself, in the same
// term.
func TestFullLogIsPurged(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	w := newReader(t, l)
	config := l.Names().StreamConfig(1)
	config.MaxMsgs = natslog.FenceMessages + 3
	s.Update(t, config)
	w.write(t, 1, 3)
	written := make(chan error, 1)
	go func() { written <- w.Enqueue(t.Context(), to1(event(0x400))) }()
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	messages, progress := take(t, tail, 3)
	for i, m := range messages {
		taken, targets, err := progress[i].Take(m)
		if err != nil {
			t.Fatal(err)
		}
		progress[i].Done(taken, targets[0].Hook)
	}
	bookmarks, err := l.Bookmarks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bookmarks.Take(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	mark, _ := progress[0].Bookmark()
	if err := bookmarks.Write(t.Context(), 1, mark); err != nil {
		t.Fatal(err)
	}
	hold := natslog.NewHoldback(w.Writer, time.Millisecond, slog.New(slog.DiscardHandler))
	go hold.Run(t.Context()) //nolint:errcheck // it ends with the test
	purger := natslog.NewPurger(l, hold, 0)
	wait(t, func() error {
		if _, err := purger.Run(t.Context(), 0x301); err != nil {
			return err
		}
		select {
		case err := <-written:
			if err != nil {
				t.Fatal(err)
			}
			return nil
		default:
			return errors.New("the log is still full")
		}
	})
}

// TestLargeBatchIsCut: any number of deliveries goes into the log, in order, and payloads that
// are too large for a message are stored beside it.
func TestLargeBatchIsCut(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	w := newReader(t, l)
	var hooks []int64
	for h := range int64(30) {
		hooks = append(hooks, h+1)
	}
	deliveries := to(event(0x100), func() {}, hooks...)
	for i := range 99 {
		deliveries = append(deliveries, to(event(lsn(0x200+i)), func() {}, hooks...)...)
	}
	large := event(0x900)
	large.Payload = []byte(`"annotation": "` + strings.Repeat("x", 600<<10) + `"`)
	deliveries = append(deliveries, to(large, func() {}, 1, 2)...)
	if err := w.Enqueue(t.Context(), deliveries); err != nil {
		t.Fatal(err)
	}
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	messages, progress := take(t, tail, 100*30+2)
	for i, m := range messages {
		if _, _, err := progress[i].Take(m); err != nil {
			t.Fatal(err)
		}
		if want := i/30 == 100; m.Stored != want {
			t.Errorf("message %d stored: %t", i, m.Stored)
		}
	}
	if got := w.stored[large.ID.String()]; string(got) != string(large.Payload) {
		t.Errorf("%d bytes were stored", len(got))
	}
}

// TestStreamWithALimitOfItsMessages: somebody has given the stream one that is far below the servers'.
func TestStreamWithALimitOfItsMessages(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	config := info(t, l).Config
	config.MaxMsgSize = 2 << 10
	s.Update(t, config)
	large := event(0x100)
	large.Payload = []byte(`"annotation": "` + strings.Repeat("x", 4<<10) + `"`)
	w := newReader(t, l)
	if err := w.Enqueue(t.Context(), to1(large)); err != nil {
		t.Fatal(err)
	}
	if got := w.stored[large.ID.String()]; string(got) != string(large.Payload) {
		t.Errorf("%d bytes were stored", len(got))
	}
}

// TestWriterOfALargeTransaction: a writer, and the next one, which begins within the transaction,
// remember little of its events, however many there are.
func TestWriterOfALargeTransaction(t *testing.T) {
	t.Parallel()
	l := open(t, natstest.Start(t, nil))
	const transaction, events, batch = 0x500, 4_000, 500
	hooks := []int64{1, 2, 3, 4, 5}
	of := func(ordinal int) *mapping.Event {
		e := event(transaction)
		e.ID.Ordinal = ordinal
		return e
	}
	r := newReader(t, l)
	r.passed(0x400)
	for n := 0; n < events; n += batch {
		var deliveries []dispatch.Delivery
		for i := n; i < n+batch; i++ {
			deliveries = append(deliveries, to(of(i), func() {}, hooks...)...)
		}
		if err := r.Enqueue(t.Context(), deliveries); err != nil {
			t.Fatal(err)
		}
	}
	next := newReader(t, l)
	const most = events / 40
	if of, by := r.Remembers(), next.Remembers(); of > most || by > most {
		t.Errorf("of %d messages one writer remembers %d, and the next one %d", events*len(hooks), of, by)
	}
	for _, ordinal := range []int{0, events - 1, events} {
		if has := next.Has(of(ordinal).ID, 5); has != (ordinal < events) || next.Has(of(ordinal).ID, 6) {
			t.Errorf("the log has event %d: %t", ordinal, has)
		}
	}
}
