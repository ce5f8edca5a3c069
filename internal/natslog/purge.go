package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc"
)

// Purger deletes messages that are no longer needed. One goroutine uses it.
type Purger struct {
	log      *Log
	holdback *Holdback
	keep     time.Duration
	now      func(servers time.Time) time.Time // for keep; tests change it
	marks    [Partitions][]seen                // the oldest first
	bounds   []sample                          // durable samples, the oldest first
}

// seen is the sequence of a bookmark, and when it was first read.
type seen struct {
	seq uint64
	at  time.Time
}

// Needed is what the messages that stay need of the payloads in log_body: those that were
// stored when the log ended at After or later, and those of the Events.
type Needed struct {
	After  uint64
	Events []string
}

// NewPurger deletes what the writer of the holdback has written, and its predecessors. It
// leaves messages that are younger than keep, by the servers' clock.
func NewPurger(log *Log, holdback *Holdback, keep time.Duration) *Purger {
	return &Purger{log: log, holdback: holdback, keep: keep, now: func(servers time.Time) time.Time { return servers }}
}

// Run deletes the messages below each partition's bookmark whose commits are below the
// confirmed position. It ignores bookmarks that may not be on disk yet, and keeps the last
// message of each partition, and of the fences, which may be the end of the log.
func (p *Purger) Run(ctx context.Context, confirmed cdc.LSN) (needed Needed, err error) {
	durable := p.holdback.durable()
	if durable.at.IsZero() {
		return Needed{}, nil
	}
	if n := len(p.bounds); n == 0 || p.bounds[n-1].floor != durable.floor {
		p.bounds = append(p.bounds, durable)
	}
	floor := p.floor(confirmed)
	marks, err := p.log.Bookmarks(ctx)
	if err != nil {
		return Needed{}, err
	}
	stream, err := p.log.stream(ctx, p.log.names.Stream)
	if err != nil {
		return Needed{}, err
	}
	young, err := p.young(ctx, stream)
	if err != nil {
		return Needed{}, err
	}
	below := min(floor, young)
	for n := range Partitions {
		mark, err := marks.Read(ctx, n)
		if err != nil {
			return Needed{}, err
		}
		settled, err := p.settled(ctx, stream, n, mark, durable)
		if err != nil {
			return Needed{}, err
		}
		seq := min(settled, floor, young)
		last, err := p.purge(ctx, stream, n, seq)
		switch {
		case err != nil:
			return Needed{}, err
		case last == nil:
		case seq < last.Seq:
			below = min(below, seq)
		case last.Stored:
			needed.Events = append(needed.Events, last.Event.ID.String())
		}
	}
	needed.After = below - min(below, batchMessages) // the payloads of a batch are stored before its messages
	_, err = p.purge(ctx, stream, noPartition, floor)
	return needed, err
}

// purge deletes the messages of a partition below the sequence, but not the last one, which it returns; nil:
// there is none.
func (p *Purger) purge(ctx context.Context, stream jetstream.Stream, partition int, seq uint64) (last *Message, err error) {
	last, err = p.log.lastOf(ctx, stream, partition)
	if last == nil || err != nil {
		return nil, err
	}
	if seq = min(seq, last.Seq); seq <= 1 {
		return last, nil
	}
	subject := p.log.names.Subject(partition)
	err = stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(seq))
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("purge %s: %w", subject, err)
	}
	return last, nil
}

// young is the sequence of the first message that is younger than what is kept; behind the
// last one if there is none.
func (p *Purger) young(ctx context.Context, stream jetstream.Stream) (uint64, error) {
	end := stream.CachedInfo().State.LastSeq + 1
	if p.keep == 0 {
		return end, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	since := p.now(stream.CachedInfo().TimeStamp).Add(-p.keep) // the reader's clock may be wrong
	messages, err := p.log.read(ctx, stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &since, HeadersOnly: true,
	}, 0, 0)
	if err != nil {
		return 0, err
	}
	defer messages.pause(context.WithoutCancel(ctx))
	if messages.pending == 0 {
		return end, nil
	}
	first, err := messages.next(ctx)
	if err != nil {
		return 0, err
	}
	return first.Seq, nil
}

// floor returns the sequence below which all commits are confirmed, by the newest durable sample
// that tells. A log may be full of delivered messages, of later commits too, of which a new reader
// has no samples: their commits are not confirmed before it has written the events between them.
func (p *Purger) floor(confirmed cdc.LSN) uint64 {
	for len(p.bounds) > 1 && p.bounds[1].below <= confirmed {
		p.bounds = p.bounds[1:]
	}
	if p.bounds[0].below > confirmed {
		return 0
	}
	return p.bounds[0].floor
}

// settled returns the sequence of the newest bookmark that is on disk: it was read before the
// durable sample was taken. A bookmark whose message the log does not have there tells nothing: the
// log was cut back or created again, and may have other messages up to that sequence.
func (p *Purger) settled(ctx context.Context, stream jetstream.Stream, partition int, now Bookmark, durable sample) (seq uint64, err error) {
	marks := p.marks[partition]
	if len(marks) == 0 || marks[len(marks)-1].seq != now.Seq {
		has, err := p.log.hasMark(ctx, stream, partition, now)
		if err != nil {
			return 0, err
		}
		if !has {
			now.Seq = 0
		}
		marks = append(marks, seen{now.Seq, time.Now()})
	}
	for len(marks) > 1 && !marks[1].at.After(durable.at) {
		marks = marks[1:]
	}
	p.marks[partition] = marks
	if marks[0].at.After(durable.at) {
		return 0, nil
	}
	return marks[0].seq, nil
}
