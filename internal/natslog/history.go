package natslog

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// HistoryOptions select messages of the log. Hook is required.
type HistoryOptions struct {
	Hook   int64
	Since  time.Time // when they were written, at the earliest; zero: the first ones
	After  uint64    // sequence that they follow; then Since does not count
	Bodies bool      // with payloads
}

// History reads what the log still has of a hook's partition, the oldest first, up to what it
// had when the History was made. One goroutine uses it. Close it.
type History struct {
	Total  int64     // number of messages to read
	Begins time.Time // when the partition's first message was written; zero: there is none
	Missed uint64    // messages that were deleted before they were read

	log      *Log
	messages *reading
	at, end  uint64 // sequences of the message that was read last, and of the last one to read
	number   uint64 // of the message that was read last; 0: there is none
}

// History begins to read the messages of the hook's partition.
func (l *Log) History(ctx context.Context, o HistoryOptions) (*History, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	subject := l.names.Subject(PartitionOf(o.Hook))
	h := &History{log: l}
	if err := h.bound(ctx, stream, subject); err != nil {
		return nil, err
	}
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}, HeadersOnly: !o.Bodies}
	switch {
	case o.After > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, o.After+1
	case !o.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.Since
	}
	if h.messages, err = l.read(ctx, stream, config); err != nil {
		return nil, err
	}
	h.messages.Until = h.end
	if h.Total = int64(h.messages.Pending); h.Total == 0 { // there may be none to come
		h.end = 0
	}
	return h, nil
}

// bound finds the ends of the partition.
func (h *History) bound(ctx context.Context, stream jetstream.Stream, subject string) error {
	last, err := h.log.decoded(stream.GetLastMsgForSubject(ctx, subject))
	if err != nil || last == nil {
		return err
	}
	h.end = last.Seq
	first, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
	if err != nil {
		return fmt.Errorf("read the first message of %s: %w", subject, err)
	}
	h.Begins = first.Time
	return nil
}

// Next is the next message; io.EOF: there is none.
func (h *History) Next(ctx context.Context) (*Message, error) {
	if h.at >= h.end {
		return nil, io.EOF
	}
	m, err := h.messages.next(ctx)
	if err != nil {
		return nil, err
	}
	if h.number > 0 && m.Number > h.number {
		h.Missed += m.Number - h.number - 1
	}
	h.number = m.Number
	if h.at = m.Seq; m.Seq > h.end { // the last ones were deleted meanwhile
		return nil, io.EOF
	}
	return m, nil
}

// Close ends reading.
func (h *History) Close() { h.messages.Close() }
