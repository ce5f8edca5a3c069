//go:build long

package natslog_test

import (
	"context"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestTopicWhoseAcknowledgementsAreLost: servers that fail lose acknowledgements, and the connection to another
// one lasts. However often that happened, events are published again afterwards.
func TestTopicWhoseAcknowledgementsAreLost(t *testing.T) {
	t.Parallel()
	s := natstest.Start(t, nil)
	l := openTopic(t, s)
	config := l.Names().TopicConfig(natslog.TopicOptions{Keep: time.Hour, Sync: time.Minute}, 1)
	config.NoAck = true
	s.Update(t, config)
	topic, w := topicWriter(t, l)
	n := 0
	put := func(ctx context.Context) error {
		var deliveries []dispatch.Delivery
		for range 256 {
			n++
			e := event(lsn(n * 0x100))
			deliveries = append(deliveries, dispatch.Delivery{Target: topic.Target(e), Event: e, Done: func() {}})
		}
		return w.Enqueue(ctx, deliveries)
	}
	for range 20 {
		within, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := put(within); err == nil {
			t.Fatal("published without an acknowledgement")
		}
		cancel()
	}
	config.NoAck = false
	s.Update(t, config)
	wait(t, func() error { return put(t.Context()) })
}
