package natslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Log is the stream and the bucket of a slot. It has its own connection, which reconnects by
// itself, until Close or Ended. It is safe for concurrent use.
type Log struct {
	o     Options
	names Names
	conn  *nats.Conn
	js    jetstream.JetStream
	echo  *echo
	idle  time.Duration // idleFor
	ended chan struct{} // closed with the connection
}

// ErrNoLog says that the stream or the bucket is missing.
var ErrNoLog = errors.New("the log is missing: run `hooktail setup`")

// askWithin bounds one question to the server.
const askWithin = 10 * time.Second

// Close ends the connection.
func (l *Log) Close() { l.conn.Close() }

// Ended returns a channel that is closed when the connection has ended for good, by Close or because of
// Fault.
func (l *Log) Ended() <-chan struct{} { return l.ended }

// Fault returns the last error of the connection, nil if it is not known.
func (l *Log) Fault() error { return redact(l.conn.LastError(), l.o.URL) }

// Names returns the names of stream, bucket and subjects.
func (l *Log) Names() Names { return l.names }

// SetUp creates the stream, the bucket and the topic if they are missing. It does not change
// existing ones.
func (l *Log) SetUp(ctx context.Context) error {
	for _, config := range l.names.configs(l.o.Replicas, l.o.Topic) {
		_, err := l.stream(ctx, config.Name)
		if errors.Is(err, ErrNoLog) {
			if _, err = l.js.CreateStream(ctx, config); err != nil {
				err = fmt.Errorf("create stream %s: %w", config.Name, err)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Stream is the stream of the log, of its bucket or of its topic.
type Stream struct {
	Name     string
	Messages uint64
}

// Streams returns what exists of the log: what TearDown deletes.
func (l *Log) Streams(ctx context.Context) (list []Stream, err error) {
	for _, config := range l.names.configs(l.o.Replicas, &TopicOptions{}) {
		stream, err := l.stream(ctx, config.Name)
		if errors.Is(err, ErrNoLog) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Stream{config.Name, stream.CachedInfo().State.Msgs})
	}
	return list, nil
}

// TearDown deletes the stream, the bucket and the topic with their contents.
func (l *Log) TearDown(ctx context.Context) error {
	streams, err := l.Streams(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range streams {
		if err := l.js.DeleteStream(ctx, s.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			errs = append(errs, fmt.Errorf("delete stream %s: %w", s.Name, err))
		}
	}
	return errors.Join(errs...)
}

// Info returns the present state of the stream.
func (l *Log) Info(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := l.stream(ctx, l.names.Stream)
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// stream returns the stream of that name; if it is missing, the error is ErrNoLog.
func (l *Log) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, name)
	return stream, lookUp(name, err)
}

// lookUp explains why the stream could not be looked up.
func lookUp(name string, err error) error {
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("stream %s: %w", name, ErrNoLog)
	}
	if err != nil {
		return fmt.Errorf("look up stream %s: %w", name, err)
	}
	return nil
}

// message returns the message with that sequence, nil if there is none.
func (l *Log) message(ctx context.Context, stream jetstream.Stream, seq uint64) (*Message, error) {
	return l.decoded(stream.GetMsg(ctx, seq))
}

// has returns ErrRewound if another message has that sequence, or none ever had. A message that
// is missing may have been purged.
func (l *Log) has(ctx context.Context, stream jetstream.Stream, at place) error {
	m, err := l.message(ctx, stream, at.seq)
	if err != nil || m != nil && m.ID == at.id {
		return err
	}
	if m == nil {
		info, err := stream.Info(ctx)
		if err != nil || info.State.LastSeq >= at.seq {
			return err
		}
	}
	return fmt.Errorf("stream %s no longer has message %s at sequence %d: %w", l.names.Stream, at.id, at.seq, ErrRewound)
}

// hasMark reports whether the log has the bookmark's message at the bookmark's sequence.
func (l *Log) hasMark(ctx context.Context, stream jetstream.Stream, partition int, mark Bookmark) (bool, error) {
	if mark.Seq == 0 {
		return false, nil
	}
	m, err := l.message(ctx, stream, mark.Seq)
	return m != nil && m.ID == mark.ID && m.Partition == partition, err
}

// lastOf returns the last message of the partition, nil if there is none.
func (l *Log) lastOf(ctx context.Context, stream jetstream.Stream, partition int) (*Message, error) {
	return l.decoded(stream.GetLastMsgForSubject(ctx, l.names.Subject(partition)))
}

func (l *Log) decoded(raw *jetstream.RawStreamMsg, err error) (*Message, error) {
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a message of stream %s: %w", l.names.Stream, err)
	}
	m, err := decode(l.names, raw.Subject, raw.Sequence, raw.Header, raw.Data)
	if err == nil {
		m.Written = raw.Time
	}
	return m, err
}
