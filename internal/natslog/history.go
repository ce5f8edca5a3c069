package natslog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// HistoryOptions select messages of the log. Hook is required.
type HistoryOptions struct {
	Hook  int64
	Since time.Time // when they were written, at the earliest; zero: the first ones
	After uint64    // sequence that they follow; then Since does not count
}

// History reads what the log still has of a hook's partition, the oldest first, up to what it
// had when the History was made. One goroutine uses it. Close it.
type History struct {
	Total  int64     // number of messages to read
	Begins time.Time // when the partition's first message was written; zero: there is none
	Missed uint64    // messages that were deleted before they were read

	messages *reading
}

// History begins to read the messages of the hook's partition.
func (l *Log) History(ctx context.Context, o HistoryOptions) (*History, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	subject := l.names.Subject(PartitionOf(o.Hook))
	h, until := &History{}, uint64(0)
	last, err := l.lastOf(ctx, stream, PartitionOf(o.Hook))
	if err != nil {
		return nil, err
	}
	if last != nil {
		first, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(subject))
		if err != nil {
			return nil, fmt.Errorf("read the first message of %s: %w", subject, err)
		}
		h.Begins, until = first.Time, last.Seq
	}
	config, from := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}, uint64(0)
	switch {
	case o.After > 0:
		from = o.After + 1
	case !o.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.Since
	}
	if h.messages, err = l.read(ctx, stream, config, from, until); err != nil {
		return nil, err
	}
	if h.Total = int64(h.messages.pending); h.Total == 0 { // there may be none to come
		h.messages.until = 0
	}
	return h, nil
}

// Next is the next message; io.EOF: there is none.
func (h *History) Next(ctx context.Context) (*Message, error) {
	last, end := h.messages.at, h.messages.until
	if last.seq >= end {
		return nil, io.EOF
	}
	m, err := h.messages.next(ctx)
	if errors.Is(err, errRemoved) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, err
	}
	if last.number > 0 && m.Number > last.number {
		h.Missed += m.Number - last.number - 1
	}
	if m.Seq > end { // the last ones were deleted meanwhile
		return nil, io.EOF
	}
	return m, nil
}

// Close ends reading.
func (h *History) Close() { h.messages.Close() }
