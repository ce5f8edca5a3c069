package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/cdc"
)

// Purger deletes what nobody needs any more. One goroutine uses it.
type Purger struct {
	log      *Log
	holdback *Holdback
	marks    [Partitions][]seen // the oldest first
	bounds   []sample           // durable ones, the oldest first
}

// seen is the sequence of a bookmark, and when it was read first.
type seen struct {
	seq uint64
	at  time.Time
}

// NewPurger deletes what the writer of the holdback has written, and its predecessors.
func NewPurger(log *Log, holdback *Holdback) *Purger { return &Purger{log: log, holdback: holdback} }

// Run deletes, of each partition, the messages below the bookmark whose commits are below the
// confirmed position. Bookmarks that may not be on disk yet do not count. The last message of
// a partition stays. It returns the sequence below which nothing is needed any more.
func (p *Purger) Run(ctx context.Context, confirmed cdc.LSN) (below uint64, err error) {
	durable := p.holdback.durable()
	if durable.at.IsZero() {
		return 0, nil
	}
	if n := len(p.bounds); n == 0 || p.bounds[n-1].end != durable.end {
		p.bounds = append(p.bounds, durable)
	}
	bound := p.bound(confirmed)
	marks, err := p.log.Bookmarks(ctx)
	if err != nil {
		return 0, err
	}
	stream, err := p.log.stream(ctx)
	if err != nil {
		return 0, err
	}
	below = bound + 1
	for n := range Partitions {
		mark, err := marks.Read(ctx, n)
		if err != nil {
			return 0, err
		}
		last, err := p.log.lastOf(ctx, stream, n)
		if err != nil {
			return 0, err
		}
		if last == nil {
			continue
		}
		seq := min(p.settled(n, mark, durable), bound+1, last.Seq)
		if seq < last.Seq {
			below = min(below, seq)
		}
		if seq <= 1 {
			continue
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(p.log.names.Subject(n)), jetstream.WithPurgeSequence(seq)); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return 0, fmt.Errorf("purge partition %d: %w", n, err)
		}
	}
	return below, nil
}

// bound is the last sequence of the newest durable sample whose commits are all confirmed.
func (p *Purger) bound(confirmed cdc.LSN) (end uint64) {
	n := 0
	for n < len(p.bounds) && p.bounds[n].high < confirmed {
		end = p.bounds[n].end
		n++
	}
	if n > 0 {
		p.bounds = p.bounds[n-1:]
	}
	return end
}

// settled is the sequence of the newest bookmark that is on disk by now: it was read before
// the durable sample was taken.
func (p *Purger) settled(partition int, now Bookmark, durable sample) (seq uint64) {
	marks := p.marks[partition]
	if len(marks) == 0 || marks[len(marks)-1].seq != now.Seq {
		marks = append(marks, seen{now.Seq, time.Now()})
	}
	n := 0
	for n < len(marks) && !marks[n].at.After(durable.at) {
		seq = marks[n].seq
		n++
	}
	p.marks[partition] = marks[max(0, n-1):]
	return seq
}
