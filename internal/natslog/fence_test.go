package natslog_test

import (
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestFence: once a reader has written, the servers accept nothing of a batch that another one had
// on its way before, however much is written. Without the fence they do.
func TestFence(t *testing.T) {
	t.Parallel()
	for _, fenced := range []bool{true, false} {
		t.Run(fmt.Sprintf("fenced %t", fenced), func(t *testing.T) {
			t.Parallel()
			testFence(t, natstest.Start(t, nil).URL(), 1, fenced)
		})
	}
}

func testFence(t *testing.T, url string, servers int, fenced bool) {
	l := openAt(t, url, servers)
	old := newReader(t, l)
	if err := old.Enqueue(t.Context(), to1(event(0x100))); err != nil {
		t.Fatal(err)
	}
	var deliveries []dispatch.Delivery
	for n := range natslog.FenceMessages {
		deliveries = append(deliveries, to(event(lsn(0x10000+n)), func() {}, int64(n))...)
	}
	onTheWay := old.Batch(deliveries)
	next := newReader(t, l)
	if !fenced {
		next.WithoutFence()
	}
	js := natstest.Client(t, url)
	accepted := 0
	for n := 0; n < natslog.FenceMessages+10 && accepted == 0; n++ {
		if err := next.Enqueue(t.Context(), to1(event(lsn(0x200+n)))); err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		for i, m := range onTheWay {
			// What fits where the log ends, its neighbours, and both ends of the batch.
			if i > 0 && i < len(onTheWay)-1 && (i < n || i > n+2) {
				continue
			}
			if _, err := js.PublishMsg(t.Context(), m, jetstream.WithRetryAttempts(0)); err == nil {
				accepted++
			}
		}
	}
	switch {
	case fenced && accepted > 0:
		t.Error("the log has accepted a message of a batch from before the fence")
	case !fenced && accepted == 0:
		t.Error("the log has accepted nothing without a fence, either: this test shows nothing")
	}
}
