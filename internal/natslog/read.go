package natslog

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Limits of what the client fetches in advance. It asks for that many messages and bytes at
// once, and again when only aheadFew messages are left.
const (
	aheadMessages = 64
	aheadFew      = 16
	aheadBytes    = 2 << 20
)

// read starts reading the selected messages, and returns how many there are at present. The
// caller stops it. Without a limit of what is fetched in advance, the client allocates a queue
// for a million messages, which the garbage collector scans.
func (l *Log) read(ctx context.Context, stream jetstream.Stream, selected jetstream.OrderedConsumerConfig) (messages jetstream.MessagesContext, pending uint64, err error) {
	selected.MaxResetAttempts = 1
	consumer, err := stream.OrderedConsumer(ctx, selected)
	if err != nil {
		return nil, 0, fmt.Errorf("read stream %s: %w", l.names.Stream, err)
	}
	messages, err = consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(aheadMessages, aheadBytes), jetstream.PullThresholdMessages(aheadFew))
	if err != nil {
		return nil, 0, fmt.Errorf("read stream %s: %w", l.names.Stream, err)
	}
	return messages, consumer.CachedInfo().NumPending, nil
}

// next waits for the next message and returns it.
func (l *Log) next(ctx context.Context, messages jetstream.MessagesContext) (*Message, error) {
	raw, err := messages.Next(jetstream.NextContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", l.names.Stream, err)
	}
	meta, err := raw.Metadata()
	if err != nil {
		return nil, fmt.Errorf("read stream %s: %w", l.names.Stream, err)
	}
	m, err := decode(l.names, raw.Subject(), meta.Sequence.Stream, raw.Headers(), raw.Data())
	if err == nil {
		m.Written = meta.Timestamp
	}
	return m, err
}
