package natslog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// TopicOptions say how the stream of the topic is made.
type TopicOptions struct {
	Keep time.Duration // how long it keeps an event; 0: topicKeep
	Sync time.Duration // sync interval of the servers
}

const (
	topicKeep   = 24 * time.Hour
	topicPrefix = "labelstudio."
	topicSlack  = 2 * time.Minute // of the duplicate window, for a reader to come again
)

// ErrNoTopic says that the stream of the topic is missing.
var ErrNoTopic = errors.New("the stream of HOOKTAIL_TOPIC is missing: run `hooktail setup`")

// ErrTopicCut says that the topic has lost events: they are published again.
var ErrTopicCut = errors.New("the topic has lost its end: its last events are published again")

// Topic is the name of the stream for subscribers.
func (n Names) Topic() string { return n.Stream + "_TOPIC" }

// TopicConfig is how the stream of the topic is made. A full one drops its oldest events,
// since nobody knows its subscribers. What a new reader publishes again is recognized for
// as long as the slot is held back.
func (n Names) TopicConfig(o TopicOptions, replicas int) jetstream.StreamConfig {
	keep := o.Keep
	if keep == 0 {
		keep = topicKeep
	}
	return jetstream.StreamConfig{
		Name: n.Topic(), Description: "hooktail: events for subscribers", Subjects: []string{topicPrefix + ">"},
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld, MaxAge: keep, Storage: jetstream.FileStorage, Replicas: replicas,
		Duplicates: min(2*o.Sync+topicSlack, keep),
	}
}

// Topic publishes events to subscribers, each at least once. It is safe for concurrent use.
type Topic struct {
	log    *Log
	stream jetstream.Stream

	mu  sync.Mutex
	end uint64 // sequence of the last event of this Topic; guarded by mu
	id  string // of it; guarded by mu
}

// OpenTopic returns the topic; nil if events are not published.
func (l *Log) OpenTopic(ctx context.Context) (*Topic, error) {
	if l.o.Topic == nil {
		return nil, nil
	}
	stream, err := l.stream(ctx, l.names.Topic())
	if errors.Is(err, ErrNoLog) {
		return nil, ErrNoTopic
	}
	if err != nil {
		return nil, err
	}
	return &Topic{log: l, stream: stream}, nil
}

// toTopic is the hook that stands for the topic among the targets of an event.
const toTopic = math.MinInt64

// Target is the target that stands for the topic.
func (t *Topic) Target(e *mapping.Event) hook.Target {
	return hook.Target{Hook: toTopic, Action: e.Action, Payload: true}
}

// publishOwn publishes those of the deliveries that are the topic's, and returns the others. What
// was published counts as done once the servers have acknowledged it; publishOwn does not call
// Done.
func (t *Topic) publishOwn(ctx context.Context, deliveries []dispatch.Delivery) (others []dispatch.Delivery, err error) {
	if t == nil {
		return deliveries, nil
	}
	const most = 256 // in flight
	others = make([]dispatch.Delivery, 0, len(deliveries))
	var events []*mapping.Event
	for i := range deliveries {
		if deliveries[i].Hook != toTopic {
			others = append(others, deliveries[i])
			continue
		}
		if events = append(events, deliveries[i].Event); len(events) == most {
			if err := t.publish(ctx, events); err != nil {
				return nil, err
			}
			events = events[:0]
		}
	}
	return others, t.publish(ctx, events)
}

// publish returns when the servers have all of the events.
func (t *Topic) publish(ctx context.Context, events []*mapping.Event) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	acks := make([]jetstream.PubAckFuture, len(events))
	for i, e := range events {
		var err error
		if acks[i], err = t.log.js.PublishMsgAsync(t.message(e), jetstream.WithExpectStream(t.log.names.Topic())); err != nil {
			return fmt.Errorf("publish event %s: %w", e.ID, err)
		}
	}
	for i, ack := range acks {
		select {
		case acked := <-ack.Ok():
			if err := t.note(acked, events[i].ID.String()); err != nil {
				return err
			}
		case err := <-ack.Err():
			return fmt.Errorf("publish event %s: %w", events[i].ID, err)
		case <-ctx.Done():
			return fmt.Errorf("publish event %s: %w", events[i].ID, ctx.Err())
		}
	}
	return nil
}

// note takes note of the end of the topic. A new event that does not follow it shows that
// the servers have lost some.
func (t *Topic) note(acked *jetstream.PubAck, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if acked.Sequence > t.end {
		t.end, t.id = acked.Sequence, id
	} else if !acked.Duplicate {
		return ErrTopicCut
	}
	return nil
}

// omittedHeader has the size of a body that is larger than a message may be: the message has
// the action alone.
const omittedHeader = "hooktail-omitted"

// headersBytes is room for the headers of a message.
const headersBytes = 4 << 10

// message is the event as subscribers get it.
func (t *Topic) message(e *mapping.Event) *nats.Msg {
	id := e.ID.String()
	h := nats.Header{
		jetstream.MsgIDHeader: {id}, "webhook-id": {id}, "webhook-timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		"hooktail-lsn": {e.ID.Commit.String()}, "hooktail-commit-time": {e.Committed.UTC().Format(mapping.CommittedLayout)},
		"Content-Type": {"application/json"},
	}
	body := e.Body(e.Action, true)
	if n := body.Len(); int64(n) > t.log.conn.MaxPayload()-headersBytes {
		h[omittedHeader] = []string{strconv.Itoa(n)}
		body = e.Body(e.Action, false)
	}
	return &nats.Msg{Subject: fmt.Sprintf("%s%d.%d.%s", topicPrefix, e.Organization, e.Project, e.Action), Header: h, Data: body.Bytes()}
}

// look makes sure that the topic still has what was published last, or has dropped it by its
// limits.
func (t *Topic) look(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	end, id := t.end, t.id
	t.mu.Unlock()
	info, err := t.stream.Info(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return ErrNoTopic
	case err != nil:
		return err
	case info.State.LastSeq < end:
		return ErrTopicCut
	case end == 0:
		return nil
	}
	m, err := t.stream.GetMsg(ctx, end)
	if err == nil && m.Header.Get(jetstream.MsgIDHeader) != id {
		return ErrTopicCut
	}
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}
