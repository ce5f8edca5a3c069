package natslog

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// Tail reads a sender's partitions in the order of the log, starting at their bookmarks.
type Tail struct {
	log      *Log
	stream   jetstream.Stream
	progress map[int]*Progress
	messages *reading // until the last message, at the start, of the partitions with undelivered ones
	echoes   bool     // messages are taken from the log's echo instead
}

// Tail starts reading the partitions. The caller closes it.
func (l *Log) Tail(ctx context.Context, marks map[int]Bookmark) (*Tail, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	t := &Tail{log: l, stream: stream, progress: make(map[int]*Progress)}
	from, until := stream.CachedInfo().State.LastSeq+1, uint64(0)
	subjects := make([]string, 0, len(marks))
	for _, p := range slices.Sorted(maps.Keys(marks)) {
		first, last, err := t.begin(ctx, p, marks[p])
		if err != nil {
			return nil, err
		}
		if last > 0 {
			from, until = min(from, first), max(until, last)
		}
		subjects = append(subjects, l.names.Subject(p))
	}
	if len(subjects) == Partitions {
		subjects = []string{l.names.Subjects()}
	}
	t.messages, err = l.read(ctx, stream, jetstream.OrderedConsumerConfig{FilterSubjects: subjects}, from, until)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// begin returns the sequences of the first and the last message to read: after the bookmark, if the
// log has the bookmark's message there, otherwise from the first one on; 0: there is none.
func (t *Tail) begin(ctx context.Context, partition int, mark Bookmark) (first, last uint64, err error) {
	newest, err := t.log.lastOf(ctx, t.stream, partition)
	if err != nil {
		return 0, 0, err
	}
	verified, err := t.log.hasMark(ctx, t.stream, partition, mark)
	if err != nil {
		return 0, 0, err
	}
	t.progress[partition] = NewProgress(partition, mark, verified)
	switch {
	case newest == nil, verified && newest.Seq == mark.Seq:
		return 0, 0, nil
	case verified:
		return mark.Seq + 1, newest.Seq, nil
	}
	return t.stream.CachedInfo().State.FirstSeq, newest.Seq, nil
}

// Progress returns the progress of each partition.
func (t *Tail) Progress() map[int]*Progress { return t.progress }

// IsCaughtUp reports whether everything that was in the log at the start has been read.
func (t *Tail) IsCaughtUp() bool { return t.messages.at.seq >= t.messages.until }

// Next waits for the next message and returns it with the progress of its partition. The
// message is nil if it is delivered according to the bookmark, or if the last ones were removed. Next returns ErrRewound unless it follows
// the last message that the partition's progress has taken, or the log still has that one. A tail that
// reads on in a log that was cut back misses what was written since at the sequences that it has passed.
func (t *Tail) Next(ctx context.Context) (*Message, *Progress, error) {
	m, err := t.read(ctx)
	if errors.Is(err, errRemoved) { // now it is caught up
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p := t.progress[m.Partition]
	if p == nil {
		return nil, nil, nil
	}
	last, follows := p.next(m)
	switch {
	case m.Seq <= last.seq:
		return nil, nil, nil
	case follows || last.id == "":
		return m, p, nil
	}
	return m, p, t.log.has(ctx, t.stream, last)
}

// read returns the next message of its partitions, and from the echo also those of others.
func (t *Tail) read(ctx context.Context) (*Message, error) {
	at := &t.messages.at
	if !t.echoes && t.log.echo.join(at.seq) {
		t.echoes = true
		t.messages.pause(ctx)
	}
	if t.echoes {
		m, err := t.log.echo.next(ctx, at.seq)
		if err != nil {
			return nil, err
		}
		if m != nil {
			*at = m.place()
			return m, nil
		}
		t.log.echo.leave()
		t.echoes = false
		t.messages.lagging = false
		if err := t.messages.reopen(ctx, ""); err != nil {
			return nil, err
		}
	}
	return t.messages.next(ctx)
}

// Close stops reading.
func (t *Tail) Close() {
	t.log.echo.leave()
	t.messages.Close()
}
