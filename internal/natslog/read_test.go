package natslog_test

import (
	"testing"
	"time"

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
	js := client(t, s.URL())
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
