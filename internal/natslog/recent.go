package natslog

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// RecentOptions select events of the log. Hook and Limit are required.
type RecentOptions struct {
	Hook         int64
	Since, Until time.Time             // of the commit, in rough bounds; zero: none
	Wants        func(m *Message) bool // nil: all events for the hook
	Limit        int
}

// Recent is what the log has of a hook's newest events.
type Recent struct {
	Messages []*Message // the newest first, without payloads
	More     bool       // there are older ones
	Partial  bool       // the context ended before the whole log was read: there may be older ones
}

// firstWindow is the number of sequences that Recent reads first. Each further window has
// windowGrowth times as many: a hook's events may be rare in the log.
const (
	firstWindow  = 1 << 10
	windowGrowth = 8
)

// commitSlack is how far commits may be out of order in the log: an event of a hook that was
// adopted later comes later.
const commitSlack = 10 * time.Minute

// Recent reads the log backwards until it has found enough. If ctx ends meanwhile, it returns
// what it has found, which has no gaps.
func (l *Log) Recent(ctx context.Context, o RecentOptions) (Recent, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return Recent{}, err
	}
	last, err := l.lastOf(ctx, stream, PartitionOf(o.Hook))
	if last == nil || err != nil {
		return Recent{}, err
	}
	b := &backwards{log: l, stream: stream, o: o, last: last.Seq}
	first, end := stream.CachedInfo().State.FirstSeq, last.Seq
	if !o.Until.IsZero() {
		until, err := b.find(ctx, first, end, o.Until.Add(commitSlack))
		if err != nil {
			return Recent{}, err
		}
		end = until - 1
	}
	if !o.Since.IsZero() {
		if first, err = b.find(ctx, first, end, o.Since.Add(-commitSlack)); err != nil {
			return Recent{}, err
		}
	}
	var r Recent
	for size := uint64(firstWindow); end >= first && len(r.Messages) <= o.Limit; size *= windowGrowth {
		from := max(first, end-min(size, end)+1)
		found, err := b.window(ctx, from, end, o.Limit+1-len(r.Messages))
		if ctx.Err() != nil {
			r.Partial = true
			break
		}
		if err != nil {
			return Recent{}, err
		}
		r.Messages = append(r.Messages, found...)
		end = from - 1
	}
	if len(r.Messages) > o.Limit {
		r.Messages, r.More = r.Messages[:o.Limit], true
	}
	return r, nil
}

// At returns the message with that sequence, with its payload; nil if there is none.
func (l *Log) At(ctx context.Context, seq uint64) (*Message, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	return l.message(ctx, stream, seq)
}

// backwards reads a hook's partition.
type backwards struct {
	log    *Log
	stream jetstream.Stream
	o      RecentOptions
	last   uint64 // sequence of the partition's last message, which is never purged
}

func (b *backwards) subject() string { return b.log.names.Subject(PartitionOf(b.o.Hook)) }

// find returns the first sequence from which on commits are not before t, end+1 if there is
// none. It takes commits to be in order.
func (b *backwards) find(ctx context.Context, first, end uint64, t time.Time) (uint64, error) {
	behind := end + 1
	for first < behind {
		middle := first + (behind-first)/2
		m, err := b.log.decoded(b.stream.GetMsg(ctx, middle, jetstream.WithGetMsgSubject(b.subject())))
		if err != nil {
			return 0, err
		}
		if m == nil || m.Seq >= behind || !m.at().Before(t) {
			behind = middle
		} else {
			first = m.Seq + 1
		}
	}
	return behind, nil
}

// at is the time of the commit; a hook's change has only the time at which it was written.
func (m *Message) at() time.Time {
	if m.Event == nil {
		return m.Written
	}
	return m.Event.Committed
}

// window returns the newest wanted messages between the sequences, the newest first.
func (b *backwards) window(ctx context.Context, from, end uint64, limit int) ([]*Message, error) {
	messages, err := b.log.read(ctx, b.stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{b.subject()}, HeadersOnly: true}, from, min(end, b.last))
	if err != nil {
		return nil, err
	}
	defer messages.Close()
	var found []*Message
	for messages.at.seq < messages.until {
		m, err := messages.next(ctx)
		if err != nil {
			return nil, err
		}
		if _, has := m.TargetOf(b.o.Hook); has && m.Seq <= end && (b.o.Wants == nil || b.o.Wants(m)) {
			found = append(found, m)
			found = found[max(0, len(found)-limit):]
		}
	}
	slices.Reverse(found)
	return found, nil
}
