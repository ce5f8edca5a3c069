package natslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say where the log is. Slot, URL and Log are required.
type Options struct {
	Slot string
	URL  string // of one server or several, separated by commas; may have a user and a password
	TLS  *tls.Config
	// Auth is options of the client for credentials or an NKey.
	Auth     []nats.Option
	Replicas int           // of stream and bucket, when they are made; 0: 1
	Topic    *TopicOptions // nil: events are not published to subscribers
	Log      *slog.Logger
}

// Log is a slot's stream and bucket, on a connection of its own, which reconnects by itself.
// Close it. It is safe for concurrent use.
type Log struct {
	names    Names
	replicas int
	topic    *TopicOptions
	conn     *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
}

// ErrNoLog says that the stream or the bucket is missing.
var ErrNoLog = errors.New("the log is missing: run `hooktail setup`")

// askWithin bounds one question to the server.
const askWithin = 10 * time.Second

// Open connects to a server. It does not look whether the stream is there.
func Open(o Options) (*Log, error) {
	l := &Log{names: NamesOf(o.Slot), replicas: max(1, o.Replicas), topic: o.Topic, log: o.Log}
	options := append([]nats.Option{
		nats.Name("hooktail " + o.Slot), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("The connection to NATS is lost; reconnecting", "error", redact(err, o.URL))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info("Connected to NATS again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { o.Log.Debug("NATS", "error", redact(err, o.URL)) }),
	}, o.Auth...)
	if o.TLS != nil {
		options = append(options, nats.Secure(o.TLS))
	}
	var err error
	if l.conn, err = nats.Connect(o.URL, options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", redact(err, o.URL))
	}
	if l.js, err = jetstream.New(l.conn); err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return l, nil
}

// Close ends the connection.
func (l *Log) Close() { l.conn.Close() }

// Names are those of the stream, the bucket and the subjects.
func (l *Log) Names() Names { return l.names }

// StreamConfig is how the stream is made.
func (l *Log) StreamConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: l.names.Stream, Description: "hooktail: deliveries of a replication slot", Subjects: []string{l.names.Subjects()},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, Storage: jetstream.FileStorage, Replicas: l.replicas,
		AllowAtomicPublish: true,
		// Direct reads are answered by any replica, which may be behind.
		AllowDirect: false,
	}
}

// BucketConfig is how the bucket is made.
func (l *Log) BucketConfig() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: l.names.Stream, Description: "hooktail: bookmarks of the senders", History: 1, Storage: jetstream.FileStorage, Replicas: l.replicas,
	}
}

// SetUp makes the stream, the bucket and the topic, if they are missing. What is there stays as it is.
func (l *Log) SetUp(ctx context.Context) error {
	if _, err := l.js.Stream(ctx, l.names.Stream); errors.Is(err, jetstream.ErrStreamNotFound) {
		if _, err := l.js.CreateStream(ctx, l.StreamConfig()); err != nil {
			return fmt.Errorf("make stream %s: %w", l.names.Stream, err)
		}
	} else if err != nil {
		return fmt.Errorf("look stream %s up: %w", l.names.Stream, err)
	}
	if _, err := l.js.KeyValue(ctx, l.names.Stream); errors.Is(err, jetstream.ErrBucketNotFound) {
		if _, err := l.js.CreateKeyValue(ctx, l.BucketConfig()); err != nil {
			return fmt.Errorf("make bucket %s: %w", l.names.Stream, err)
		}
	} else if err != nil {
		return fmt.Errorf("look bucket %s up: %w", l.names.Stream, err)
	}
	return l.setUpTopic(ctx)
}

// TearDown removes the stream, the bucket and the topic with all that is in them.
func (l *Log) TearDown(ctx context.Context) error {
	var errs []error
	for _, name := range []string{l.names.Stream, l.names.Topic()} {
		if err := l.js.DeleteStream(ctx, name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
			errs = append(errs, fmt.Errorf("remove stream %s: %w", name, err))
		}
	}
	if err := l.js.DeleteKeyValue(ctx, l.names.Stream); err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) && !errors.Is(err, jetstream.ErrStreamNotFound) {
		errs = append(errs, fmt.Errorf("remove bucket %s: %w", l.names.Stream, err))
	}
	return errors.Join(errs...)
}

// Info is the stream as the server has it now.
func (l *Log) Info(ctx context.Context) (*jetstream.StreamInfo, error) {
	stream, err := l.stream(ctx)
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

func (l *Log) stream(ctx context.Context) (jetstream.Stream, error) {
	stream, err := l.js.Stream(ctx, l.names.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, fmt.Errorf("stream %s: %w", l.names.Stream, ErrNoLog)
	}
	if err != nil {
		return nil, fmt.Errorf("look stream %s up: %w", l.names.Stream, err)
	}
	return stream, nil
}

// message reads the message with that sequence; nil if there is none.
func (l *Log) message(ctx context.Context, stream jetstream.Stream, seq uint64) (*Message, error) {
	return l.decoded(stream.GetMsg(ctx, seq))
}

// lastOf reads the partition's last message; nil if there is none.
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
