package natslog_test

import (
	"slices"
	"testing"
	"time"

	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestTailLeavesAConsumerThatStandsStill: the servers answer, send heartbeats, and no messages.
func TestTailLeavesAConsumerThatStandsStill(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	l.LooksEvery(200 * time.Millisecond)
	w, tail := newReader(t, l), follow(t, l)
	w.write(t, 1, 3)
	take(t, tail, 3)
	js := natstest.Client(t, s.URL())
	stream, err := js.Stream(t.Context(), l.Names().Stream)
	if err != nil {
		t.Fatal(err)
	}
	paused := 0
	for name := range stream.ConsumerNames(t.Context()).Name() {
		if _, err := js.PauseConsumer(t.Context(), l.Names().Stream, name, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		paused++
	}
	if paused != 1 {
		t.Fatalf("%d consumers were paused", paused)
	}
	w.write(t, 4, 6)
	messages, _ := take(t, tail, 3)
	for i, m := range messages {
		if got, want := m.Event.ID.Commit, lsn((i+4)*0x100); got != want {
			t.Errorf("event %s follows, not %s", got, want)
		}
	}
}

// TestQuietTailKeepsItsConsumer: the log grows by messages of other partitions alone. A tail that
// waits for its own does not begin anew for them, and gets the next one of its own.
func TestQuietTailKeepsItsConsumer(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := open(t, s)
	l.LooksEvery(50 * time.Millisecond)
	w := newReader(t, l)
	tail, err := l.Tail(t.Context(), map[int]natslog.Bookmark{1: {}, 3: {}})
	if err != nil {
		t.Fatal(err)
	}
	defer tail.Close()
	w.write(t, 1, 1)
	take(t, tail, 1)
	names := func() (names []string) {
		t.Helper()
		for name := range s.Stream(t, l.Names().Stream).ConsumerNames(t.Context()).Name() {
			names = append(names, name)
		}
		return names
	}
	before := names()
	next := make(chan *natslog.Message, 1)
	go func() {
		defer close(next)
		if m, _, err := tail.Next(t.Context()); err == nil {
			next <- m
		}
	}()
	looks, err := natstest.Client(t, s.URL()).Conn().SubscribeSync("$JS.API.STREAM.INFO." + l.Names().Stream)
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 12; n++ {
		if err := w.Enqueue(t.Context(), to(event(lsn(n*0x100)), func() {}, 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := looks.NextMsg(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if after := names(); !slices.Equal(before, after) {
		t.Errorf("the consumers were %v, and are %v", before, after)
	}
	last := event(lsn(0xFFFF00))
	if err := w.Enqueue(t.Context(), to1(last)); err != nil {
		t.Fatal(err)
	}
	if m := <-next; m == nil || m.ID != last.ID.String() {
		t.Errorf("the next message is %+v", m)
	}
}
