package natslog

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Tail reads a sender's partitions in the order of the log, starting at their bookmarks.
type Tail struct {
	log      *Log
	stream   jetstream.Stream
	progress map[int]*Progress
	after    map[int]uint64 // sequence up to which the partition is delivered
	reaches  uint64         // last sequence, at the start, of the partitions with undelivered messages
	messages *reading
	echoes   bool   // messages are taken from the log's echo instead
	at       uint64 // sequence of the last message read
	id       string // of it
}

// Tail starts reading the partitions. The caller closes it.
func (l *Log) Tail(ctx context.Context, marks map[int]Bookmark) (*Tail, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	t := &Tail{log: l, stream: stream, progress: make(map[int]*Progress), after: make(map[int]uint64)}
	from := stream.CachedInfo().State.LastSeq + 1
	subjects := make([]string, 0, len(marks))
	for _, p := range slices.Sorted(maps.Keys(marks)) {
		begin, err := t.begin(ctx, p, marks[p])
		if err != nil {
			return nil, err
		}
		from = min(from, begin)
		subjects = append(subjects, l.names.Subject(p))
	}
	if len(subjects) == Partitions {
		subjects = []string{l.names.Subjects()}
	}
	t.messages, err = l.read(ctx, stream, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(1, from),
	})
	if err != nil {
		return nil, err
	}
	t.messages.Until = t.reaches
	return t, nil
}

// begin returns the sequence at which to start: after the bookmark, if the log has the
// bookmark's message there, otherwise the first one.
func (t *Tail) begin(ctx context.Context, partition int, mark Bookmark) (from uint64, err error) {
	last, err := t.log.lastOf(ctx, t.stream, partition)
	if err != nil {
		return 0, err
	}
	if last == nil {
		t.progress[partition] = NewProgress(partition, mark, false)
		return t.stream.CachedInfo().State.LastSeq + 1, nil
	}
	verified, err := t.log.hasMark(ctx, t.stream, partition, mark)
	if err != nil {
		return 0, err
	}
	t.progress[partition] = NewProgress(partition, mark, verified)
	if verified {
		t.after[partition] = mark.Seq
		if last.Seq == mark.Seq {
			return t.stream.CachedInfo().State.LastSeq + 1, nil
		}
	}
	t.reaches = max(t.reaches, last.Seq)
	if verified {
		return mark.Seq + 1, nil
	}
	return max(1, t.stream.CachedInfo().State.FirstSeq), nil
}

// Progress returns the progress of each partition.
func (t *Tail) Progress() map[int]*Progress { return t.progress }

// IsCaughtUp reports whether everything that was in the log at the start has been read.
func (t *Tail) IsCaughtUp() bool { return t.at >= t.reaches }

// Next waits for the next message and returns it with the progress of its partition. The
// message is nil if it is delivered according to the bookmark.
func (t *Tail) Next(ctx context.Context) (*Message, *Progress, error) {
	m, err := t.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	if m.Seq <= t.at {
		return nil, nil, fmt.Errorf("stream %s: sequence %d was read twice: %w", t.log.names.Stream, m.Seq, ErrRewound)
	}
	t.at, t.id = m.Seq, m.ID
	p := t.progress[m.Partition]
	if p == nil || m.Seq <= t.after[m.Partition] {
		return nil, nil, nil
	}
	return m, p, t.verify(ctx, p, m)
}

// read returns the next message of its partitions, and from the echo also those of others.
func (t *Tail) read(ctx context.Context) (*Message, error) {
	if !t.echoes && t.log.echo.join(t.at) {
		t.echoes = true
		t.messages.pause(ctx)
	}
	if t.echoes {
		if m, err := t.log.echo.next(ctx, t.at); m != nil || err != nil {
			return m, err
		}
		t.log.echo.leave()
		t.echoes = false
		if err := t.messages.resume(ctx, t.at, t.id); err != nil {
			return nil, err
		}
	}
	return t.messages.next(ctx)
}

// verify returns ErrRewound unless m follows the last message that the partition's progress has
// taken, or the log still has that one. A tail that reads on in a log that was cut back misses
// what was written since at the sequences that it has passed.
func (t *Tail) verify(ctx context.Context, p *Progress, m *Message) error {
	last, follows := p.next(m)
	if follows || last.id == "" {
		return nil
	}
	return t.log.has(ctx, t.stream, last.seq, last.id)
}

// Close stops reading.
func (t *Tail) Close() {
	t.log.echo.leave()
	t.messages.Close()
}
