package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Survey is the state of a log at one time, for people and metrics.
type Survey struct {
	Messages uint64
	Bytes    uint64
	Limit    int64  // of Bytes; 0: none
	Deletes  string // settings by which the servers delete what is not delivered; "": none
	Prefix   Prefix // of the last message
	// Partitions are those that have ever had a message, by their number.
	Partitions map[int]Standing
}

// Standing is how far a partition is delivered.
type Standing struct {
	Behind uint64    // messages from the oldest undelivered one on; some of them may be delivered
	Oldest time.Time // when the oldest undelivered message was written, by the server's clock
	Hole   *Hole     // directly behind what is delivered; nil: there is none
}

// Connected reports whether a server of the log is connected now.
func (l *Log) Connected() bool { return l.conn.IsConnected() }

// Survey reads the state of the log. It reads at most three messages of each partition.
func (l *Log) Survey(ctx context.Context) (Survey, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return Survey{}, err
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(l.names.Subjects()))
	if err != nil {
		return Survey{}, fmt.Errorf("look up stream %s: %w", l.names.Stream, err)
	}
	bookmarks, err := l.Bookmarks(ctx)
	if err != nil {
		return Survey{}, err
	}
	s := Survey{
		Bytes: info.State.Bytes, Limit: max(0, info.Config.MaxBytes),
		Partitions: make(map[int]Standing, len(info.State.Subjects)), Deletes: l.deletes(info.Config),
	}
	if info.State.Msgs > 0 {
		last, err := l.message(ctx, stream, info.State.LastSeq)
		if err != nil {
			return Survey{}, err
		}
		if last != nil {
			s.Prefix = last.Prefix
		}
	}
	for subject, messages := range info.State.Subjects {
		p := l.names.Partition(subject)
		if p == noPartition {
			continue
		}
		s.Messages += messages
		if s.Partitions[p], err = l.standing(ctx, stream, bookmarks, p, info.State.LastSeq); err != nil {
			return Survey{}, err
		}
	}
	return s, nil
}

func (l *Log) standing(ctx context.Context, stream jetstream.Stream, bookmarks *Bookmarks, partition int, end uint64) (Standing, error) {
	mark, err := bookmarks.Read(ctx, partition)
	if err != nil {
		return Standing{}, err
	}
	if mark.Seq > end { // the log was cut back or created again
		mark.Seq = 0
	}
	var s Standing
	next, err := l.decoded(stream.GetMsg(ctx, mark.Seq+1, jetstream.WithGetMsgSubject(l.names.Subject(partition))))
	if next == nil || err != nil {
		return s, err
	}
	last, err := l.lastOf(ctx, stream, partition)
	if last == nil || err != nil {
		return s, err
	}
	s.Oldest = next.Written
	s.Behind = max(last.Number, next.Number) - next.Number + 1
	if _, _, err := NewProgress(partition, mark, false).Take(next); err != nil {
		s.Hole, _ = errors.AsType[*Hole](err)
	}
	return s, nil
}
