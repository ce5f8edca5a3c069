package natslog_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// openBoth is open for a process that reads and sends.
func openBoth(t *testing.T, s *natstest.Server, bytes int) *natslog.Log {
	t.Helper()
	return openWith(t, natslog.Options{URL: s.URL(), Echo: bytes})
}

// many are deliveries of events of all kinds.
func many(first, last int) (out []dispatch.Delivery) {
	nothing := func() {}
	for n := first; n <= last; n++ {
		e := event(lsn(n * 0x100))
		switch n % 4 {
		case 0:
			e.Payload = nil
		case 1:
			e.Payload = []byte(`"annotation": "` + strings.Repeat("x", n) + `"`)
		case 2:
			e.Task, e.Committed = 0, e.Committed.Local()
		}
		if n%500 == 0 {
			e.Payload = []byte(`"annotation": "` + strings.Repeat("x", 600<<10) + `"`)
		}
		for _, hook := range []int64{int64(n%70 + 1), int64(n%70 + 65), 9} {
			out = append(out, to(e, nothing, hook)...)
		}
		out = append(out, to(e, nil, 1000)...) // adopted afterwards
	}
	return out
}

// TestEcho: a tail of the process that writes gets the same messages in the same order as one of
// another process, whatever happens in between, and from memory if nothing does.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l, other := openBoth(t, s, 256<<10), open(t, s)
	w, tail, apart := newReader(t, l), follow(t, l), follow(t, other)
	events, unread := 0, 0
	stream, err := natstest.Client(t, s.URL()).Stream(t.Context(), l.Names().Stream)
	if err != nil {
		t.Fatal(err)
	}
	written := func() (n int) {
		info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(l.Names().Subjects()))
		if err != nil {
			t.Fatal(err)
		}
		for _, messages := range info.State.Subjects {
			n += int(messages)
		}
		return n
	}
	write := func(w *reader, n int) {
		t.Helper()
		before := written()
		w.Change(int64(events), lsn(events), func() {})
		if err := w.Enqueue(t.Context(), many(events+1, events+n)); err != nil {
			t.Fatal(err)
		}
		events += n
		w.passed(lsn(events*0x100 + 1))
		unread += written() - before
	}
	read := func(n int) {
		t.Helper()
		here, _ := take(t, tail, n)
		there, _ := take(t, apart, n)
		for i, m := range here {
			if got, want := shown(m), shown(there[i]); got != want {
				t.Fatalf("the message is %.1000s, not %.1000s", got, want)
			}
		}
		unread -= n
	}
	for range 5 {
		write(w, 40)
		read(unread)
		if !tail.Echoes() {
			t.Error("a batch was read from the servers")
		}
	}
	write(newReader(t, other), 5)
	read(unread)
	if tail.Echoes() {
		t.Error("what another process has written came from memory")
	}
	w = newReader(t, l)
	echoed, random := 0, rand.New(rand.NewPCG(1, 2))
	for range 60 {
		switch k := random.IntN(10); {
		case k < 5:
			write(w, 1+random.IntN(60))
		case k < 8:
			read(random.IntN(unread + 1))
		case k == 8:
			w = newReader(t, l)
		default:
			write(newReader(t, other), 1+random.IntN(3))
			w = newReader(t, l)
		}
		if tail.Echoes() {
			echoed++
		}
	}
	read(unread)
	if echoed == 0 {
		t.Error("everything was read from the servers")
	}
}

// TestEchoDoesNotHoldUpTheWriter: a tail that has stopped taking messages is left behind, and
// reads everything afterwards.
func TestEchoDoesNotHoldUpTheWriter(t *testing.T) {
	t.Parallel()
	l := openBoth(t, natstest.Start(t, nil), 256<<10)
	w, tail := newReader(t, l), follow(t, l)
	w.write(t, 1, 1)
	take(t, tail, 1)
	const events = 2000
	var deliveries []dispatch.Delivery
	for n := 2; n <= events; n++ {
		deliveries = append(deliveries, to1(event(lsn(n*0x100)))...)
	}
	if err := w.Enqueue(t.Context(), deliveries[:100]); err != nil {
		t.Fatal(err)
	}
	take(t, tail, 2)
	if !tail.Echoes() {
		t.Error("the tail does not read from memory")
	}
	if err := w.Enqueue(t.Context(), deliveries[100:]); err != nil {
		t.Fatal(err)
	}
	if held, most := l.Echoed(), 256<<10; held > most {
		t.Errorf("%d bytes are held, %d are allowed", held, most)
	}
	messages, _ := take(t, tail, events-3)
	for i, m := range messages {
		if got, want := m.Event.ID.Commit, lsn((i+4)*0x100); got != want {
			t.Fatalf("event %s follows, not %s", got, want)
		}
	}
}

// follow is a tail of all partitions from the beginning.
func follow(t *testing.T, l *natslog.Log) *natslog.Tail {
	t.Helper()
	tail, err := l.Tail(t.Context(), allMarks())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tail.Close)
	return tail
}

// shown is all that a message says, but for the time at which the servers got it.
func shown(m *natslog.Message) string {
	own := *m
	own.Written, own.Event = time.Time{}, nil
	if m.Event == nil {
		return fmt.Sprintf("%+v", own)
	}
	return fmt.Sprintf("%+v %+v %s", own, *m.Event, m.Event.Body(m.Event.Action, true).Bytes())
}
