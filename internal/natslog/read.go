package natslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/internal/retry"
)

// Limits of what the client fetches in advance. It asks for that many messages and bytes at
// once, and again when only aheadFew messages are left.
const (
	aheadMessages = 64
	aheadFew      = 16
	aheadBytes    = 2 << 20
)

// reading reads selected messages in the order of the log. One goroutine uses it. Close it.
//
// The servers read for a client on any replica of the stream, and do not move that consumer
// if its replica stands still, as one may after a loss of power: the client would wait for ever.
// So a reading that waits looks from time to time whether there is something to wait for: see look.
type reading struct {
	pending uint64 // messages to read at the start
	until   uint64 // sequence up to which there are messages to read; 0: unknown

	log      *Log
	stream   jetstream.Stream
	selected jetstream.OrderedConsumerConfig
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	lagging  bool   // the replica that is read was behind at the last look
	at       place  // of the last message read
	end      uint64 // sequence of the log's last message at the last look
	renewed  uint64 // end when the reading last began anew because nothing came
	since    uint64 // number of reconnections when the last message was read
}

// ErrRewound reports that the log has lost its end and has other messages there. The caller
// reads it again from the bookmarks.
var ErrRewound = errors.New("the log has lost its end")

// errRemoved reports that the messages up to until were removed before they were read. The reading may go on.
var errRemoved = errors.New("the last messages to read were removed")

// consumerEnds is after how long without a client the servers delete a consumer. A stream has a
// thousand at most, and each kill of a sender leaves some.
const consumerEnds = time.Minute

// moveAttempts is how often a reading tries to leave a replica: the servers choose the new one.
const moveAttempts = 10

// forgetWithin is how long a reading waits for a consumer to be deleted.
const forgetWithin = time.Second

// idleFor is how long a reading waits for a message before it looks at its replica. It is longer
// than the client waits for the server's heartbeats, of which it misses two in 10 s.
const idleFor = 12 * time.Second

// read begins to read the selected messages, from a sequence on if that is above 0. There are some up to
// the sequence until; 0: unknown.
func (l *Log) read(ctx context.Context, stream jetstream.Stream, selected jetstream.OrderedConsumerConfig, from, until uint64) (*reading, error) {
	selected.MaxResetAttempts, selected.InactiveThreshold = 1, consumerEnds
	r := &reading{log: l, stream: stream, selected: selected, until: until}
	r.begin(from)
	return r, r.open(ctx, "")
}

// begin selects messages from the sequence on, if that is above 0.
func (r *reading) begin(from uint64) {
	if from > 0 {
		r.selected.DeliverPolicy, r.selected.OptStartSeq, r.selected.OptStartTime = jetstream.DeliverByStartSequencePolicy, from, nil
	}
}

// open begins to read, or goes on, if it can on another replica than that of the server to avoid.
// Without a limit of what is fetched in advance, the client allocates a queue for a million
// messages, which the garbage collector scans.
func (r *reading) open(ctx context.Context, avoid string) (err error) {
	if r.at.seq > 0 {
		r.begin(r.at.seq + 1)
	}
	for n := 1; ; n++ {
		if r.consumer, err = r.stream.OrderedConsumer(ctx, r.selected); err != nil {
			return r.failed(err)
		}
		if avoid == "" || r.replica() != avoid || n == moveAttempts {
			break
		}
		r.forget(ctx)
	}
	r.pending = r.consumer.CachedInfo().NumPending
	r.messages, err = r.consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(aheadMessages, aheadBytes), jetstream.PullThresholdMessages(aheadFew))
	return r.failed(err)
}

// replica returns the server whose replica is read; "": there is only one.
func (r *reading) replica() string {
	info := r.consumer.CachedInfo()
	if info == nil || info.Cluster == nil {
		return ""
	}
	return info.Cluster.Leader
}

// forget deletes the consumer. If that fails, it ends by itself.
func (r *reading) forget(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, forgetWithin)
	defer cancel()
	if info := r.consumer.CachedInfo(); info != nil {
		_ = r.stream.DeleteConsumer(ctx, info.Name)
	}
}

// isBehind reports whether a server has a replica that the others do not see up to date.
func isBehind(cluster *jetstream.ClusterInfo, server string) bool {
	return cluster != nil && slices.ContainsFunc(cluster.Replicas, func(r *jetstream.PeerInfo) bool {
		return r.Name == server && (r.Offline || !r.Current || r.Lag > 0)
	})
}

func (r *reading) failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read stream %s: %w", r.log.names.Stream, err)
}

// next waits for the next message and returns it. It makes sure from time to time that one can
// come.
func (r *reading) next(ctx context.Context) (*Message, error) {
	for {
		within, cancel := context.WithTimeout(ctx, r.log.idle)
		raw, err := r.messages.Next(jetstream.NextContext(within))
		expired := within.Err() != nil && errors.Is(err, context.DeadlineExceeded)
		cancel()
		switch {
		case err == nil:
			return r.decode(ctx, raw)
		case !expired || ctx.Err() != nil:
			return nil, r.failed(err)
		}
		if err := r.look(ctx); err != nil {
			return nil, err
		}
	}
}

// look makes sure that there may be a next message: that the log still has what was read, and that
// the servers deliver. If there is a next message and the replica is behind, twice, the reading goes
// on at another one. If the log had one at the last look and it has not come since, it begins anew. If it has
// none up to until, the error is errRemoved, once. If the servers do not answer, look changes nothing.
func (r *reading) look(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	info, err := r.stream.Info(within)
	if err != nil {
		return nil //nolint:nilerr // the client reconnects
	}
	if had := max(r.until, r.at.seq); info.State.LastSeq < had {
		return fmt.Errorf("stream %s ends at sequence %d, and had %d: %w", r.log.names.Stream, info.State.LastSeq, had, ErrRewound)
	}
	lagged, end, avoid := r.lagging, r.end, ""
	r.lagging, r.end = isBehind(info.Cluster, r.replica()), info.State.LastSeq
	if r.lagging {
		avoid = r.replica()
	}
	switch {
	case r.at.seq < r.until && r.lagging && lagged:
		r.log.o.Log.Warn("The log is read from a NATS server whose replica is behind; reading from another one", "server", avoid)
	case end <= max(r.at.seq, r.renewed):
		return nil
	case !r.isOwed(within, end):
		if r.at.seq < r.until && r.until <= end {
			r.until = r.at.seq
			return errRemoved
		}
		return nil
	}
	r.renewed = end
	r.pause(within)
	return r.reopen(ctx, avoid)
}

// isOwed reports whether the log has a message to read, up to the sequence end. The others there
// may be of other partitions: to read anew costs the servers more than the question.
func (r *reading) isOwed(ctx context.Context, end uint64) bool {
	for _, subject := range r.selected.FilterSubjects {
		next, err := r.stream.GetMsg(ctx, r.at.seq+1, jetstream.WithGetMsgSubject(subject))
		if !errors.Is(err, jetstream.ErrMsgNotFound) && (err != nil || next.Sequence <= end) {
			return true
		}
	}
	return len(r.selected.FilterSubjects) == 0
}

// reopen is open while the servers are away, and for some time while the stream has no leader.
func (r *reading) reopen(ctx context.Context, avoid string) error {
	for left := reopenAttempts; ; {
		err := r.open(ctx, avoid)
		if r.log.Connected() {
			left--
		}
		if err == nil || left == 0 {
			return err
		}
		if err := retry.Sleep(ctx, reopenEvery); err != nil {
			return err
		}
	}
}

const (
	reopenAttempts = 20
	reopenEvery    = 250 * time.Millisecond
)

// decode parses the message. It is not returned if the servers have lost the one before it while
// the connection was lost: then they have others at the sequences that were read.
func (r *reading) decode(ctx context.Context, raw jetstream.Msg) (*Message, error) {
	n := r.log.conn.Stats().Reconnects
	if n != r.since && r.at.seq > 0 {
		if err := r.log.has(ctx, r.stream, r.at); err != nil {
			return nil, err
		}
	}
	r.since = n
	meta, err := raw.Metadata()
	if err != nil {
		return nil, r.failed(err)
	}
	m, err := decode(r.log.names, raw.Subject(), meta.Sequence.Stream, raw.Headers(), raw.Data())
	if err != nil {
		return nil, err
	}
	m.Written = meta.Timestamp
	if m.Seq <= r.at.seq {
		return nil, fmt.Errorf("stream %s: sequence %d was read twice: %w", r.log.names.Stream, m.Seq, ErrRewound)
	}
	if m.Seq <= r.renewed {
		r.log.o.Log.Warn("NATS had stopped delivering the log; reading it anew has helped", "sequence", m.Seq)
		r.renewed = 0
	}
	r.at, r.lagging = m.place(), false
	return m, nil
}

// pause stops reading until reopen.
func (r *reading) pause(ctx context.Context) {
	r.messages.Stop()
	r.forget(ctx)
}

// Close stops reading.
func (r *reading) Close() {
	if r.messages != nil {
		r.messages.Stop()
	}
}
