package natslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/mapping"
)

// WriterOptions are what a Writer needs. All but Topic and Metrics are required.
type WriterOptions struct {
	// Prefix returns the position below which every event is in the log or not wanted.
	Prefix func() Prefix
	// Store stores a payload that is too large for a message. after is the log's last sequence.
	Store func(ctx context.Context, event string, payload []byte, after uint64) error
	// Topic gets the deliveries for it before the log gets the others; nil: there is none.
	Topic *Topic
	Log   *slog.Logger
	// Metrics counts batches; nil: they are not counted.
	Metrics *Metrics
}

// Writer writes events to the log for one term of a reader. It is an outlet of the pipeline.
// One goroutine calls Enqueue; the other methods are safe for concurrent use.
type Writer struct {
	log    *Log
	o      WriterOptions
	stream jetstream.Stream
	read   Prefix           // of earlier terms; read-only after NewWriter, as found is
	found  [Partitions]*ids // ids of their messages above it
	term   string           // a name of its own
	full   logging.Repeat   // reports that the log has no room

	mu      sync.Mutex        // guards the fields below; held while a batch is published
	end     uint64            // sequence of the last message
	endID   string            // of it; "": there is none, or somebody has removed it
	fenced  bool              // nothing of earlier writers can reach the log any more
	before  [Partitions]place // last messages
	above   []placed          // runs of messages of a commit above the prefix, in the order of the log
	pending []*Message        // changes of hooks, to be written with the next batch
	dones   []func()          // called when these are in the log
}

// placed is the place and the commit of a message, and of those after it of the same commit: a
// transaction may have millions.
type placed struct {
	seq uint64
	of  mapping.ID // of an event without its ordinal; of a change of a hook with everyTimeline
}

// everyTimeline is below the timelines of all servers.
const everyTimeline = -1

// ErrFenced reports that another writer has written to the log, or that the log was cut back.
var ErrFenced = errors.New("the log does not end where this reader left it: another reader has written, or the log has lost its end")

// ErrOldServer says that the server does not know atomic batches: it would take a fence for single messages,
// again in each term.
var ErrOldServer = errors.New("hooktail needs NATS 2.12 or newer: upgrade all NATS servers")

// NewWriter returns a Writer that has read the log above its prefix.
func NewWriter(ctx context.Context, log *Log, o WriterOptions) (*Writer, error) {
	if version := log.Version(); version != "" && !log.HasBatches() { // "": it is away
		return nil, fmt.Errorf("NATS is version %s: %w", version, ErrOldServer)
	}
	stream, err := log.stream(ctx, log.names.Stream)
	if err != nil {
		return nil, err
	}
	w := &Writer{log: log, o: o, stream: stream, term: nuid.Next()}
	if err := w.readBack(ctx); err != nil {
		return nil, fmt.Errorf("read the end of the log: %w", err)
	}
	log.echo.begin(w.end)
	return w, nil
}

// Has reports whether earlier terms have written the event for the hook's partition.
func (w *Writer) Has(id mapping.ID, hook int64) bool {
	return w.read.Has(id) || w.found[PartitionOf(hook)].hasEvent(id)
}

// ErrAhead says that the log has events that the database has lost.
var ErrAhead = errors.New("the database was restored to an earlier state: when everything in the log is delivered, delete its stream and bucket and run `hooktail repair`")

// Follows returns ErrAhead if earlier terms have read more WAL than the server has, on its timeline.
// Its next events have positions up to which everything counts as written and delivered.
func (w *Writer) Follows(timeline int32, end cdc.LSN) error {
	if w.read.Timeline == timeline && w.read.LSN > end {
		return fmt.Errorf("stream %s goes up to %s, and the server's WAL ends at %s: %w", w.log.names.Stream, w.read.LSN, end, ErrAhead)
	}
	return nil
}

// Change writes, with the next batch, that the commit has changed the hook, or with hook 0 that any
// may have changed up to the commit. It calls done when that is in the log.
func (w *Writer) Change(hook int64, commit cdc.LSN, done func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending, w.dones = append(w.pending, w.news(hook, commit)...), append(w.dones, done)
}

// news returns the messages for the change, unless they are in the log.
func (w *Writer) news(hook int64, commit cdc.LSN) (messages []*Message) {
	if hook == 0 {
		for p := range Partitions {
			messages = append(messages, changeOf(p, 0, commit, allHooks+w.term))
		}
		return messages
	}
	m := changeOf(PartitionOf(hook), hook, commit, text(hook))
	if w.found[m.Partition].has(m.ID) {
		return nil
	}
	return []*Message{m}
}

// Enqueue writes the pending changes and the deliveries to the log and calls their Done. While
// the log is full, it waits. After an error this writer must not be used: the next Writer finds
// which messages were written.
func (w *Writer) Enqueue(ctx context.Context, deliveries []dispatch.Delivery) error {
	others, err := w.o.Topic.publishOwn(ctx, deliveries)
	if err != nil {
		return err
	}
	w.mu.Lock()
	changes, dones := w.pending, w.dones
	w.pending, w.dones = nil, nil
	w.mu.Unlock()
	messages := append(changes, split(others, w.largest())...)
	for {
		if messages, err = w.write(ctx, messages); err == nil {
			break
		}
		if !isFull(err) {
			return fmt.Errorf("write to the log: %w", err)
		}
		w.full.Failed(ctx, w.o.Log, slog.LevelError, "The log accepts no more events: waiting for room", slog.Any("error", err), slog.Duration("every", roomEvery))
		if err := retry.Sleep(ctx, roomEvery); err != nil {
			return fmt.Errorf("write to the log: %w", err)
		}
	}
	w.full.Worked(ctx, w.o.Log, "The log accepts events again")
	for _, done := range dones {
		done()
	}
	for i := range deliveries {
		if done := deliveries[i].Done; done != nil {
			done()
		}
	}
	return nil
}

// roomEvery is the interval between attempts to write to a full log.
const roomEvery = time.Second

// isFull reports whether the servers have refused a message for want of room: because of a
// limit of the stream, the account or the server, or because a disk is full.
func isFull(err error) bool {
	const storeFailed, noResources, noStorage, noAccount = 10077, 10023, 10047, 10002
	fault, ok := errors.AsType[*jetstream.APIError](err)
	return ok && slices.Contains([]jetstream.ErrorCode{storeFailed, noResources, noStorage, noAccount}, fault.ErrorCode)
}

// Drain returns at once: Enqueue is synchronous.
func (w *Writer) Drain(context.Context) error { return nil }

// largest is the size of the largest payload of a message that the servers and the stream accept.
func (w *Writer) largest() int {
	size := w.log.conn.MaxPayload()
	if most := int64(w.stream.CachedInfo().Config.MaxMsgSize); most > 0 {
		size = min(size, most)
	}
	return max(0, min(messageBytes, int(size)-headersRoom))
}

// write writes messages in batches, and returns those that are not in the log.
func (w *Writer) write(ctx context.Context, messages []*Message) (rest []*Message, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(messages) > 0 {
		batch := messages[:cut(messages)]
		if !w.fenced {
			if err := w.fence(ctx); err != nil {
				return messages, err
			}
		}
		if err := w.store(ctx, batch); err != nil {
			return messages, err
		}
		n, err := w.publish(ctx, batch)
		w.o.Metrics.count(err)
		if messages = messages[n:]; err != nil {
			return messages, err
		}
		w.log.echo.pace(ctx)
	}
	return nil, nil
}

// store stores the batch's large payloads. The caller holds mu.
func (w *Writer) store(ctx context.Context, batch []*Message) error {
	for i, m := range batch {
		if !m.Stored || i > 0 && batch[i-1].Stored && batch[i-1].Event == m.Event {
			continue
		}
		if err := w.o.Store(ctx, m.Event.ID.String(), appendPayload(make([]byte, 0, m.Bytes), m.Event), w.end); err != nil {
			return err
		}
	}
	return nil
}

// publish publishes one batch and records how many of its messages the log has. The caller holds
// mu.
func (w *Writer) publish(ctx context.Context, batch []*Message) (written int, err error) {
	w.chain(batch)
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	last, err := w.send(ctx, batch, w.end)
	written = len(batch)
	if _, refused := errors.AsType[*jetstream.APIError](err); refused {
		written, err = w.refused(ctx, batch, err)
	} else if err == nil && last != w.end+uint64(len(batch)) {
		err = ErrFenced
	}
	if err != nil && !isFull(err) {
		return 0, err
	}
	for _, m := range batch[:written] {
		w.end++
		w.endID, m.Seq, w.before[m.Partition] = m.ID, w.end, m.place()
		w.note(m)
	}
	w.log.echo.add(w.end-uint64(written), w.end, batch[:written])
	return written, err
}

// chain links each message of the batch to the one before it in its partition. The caller holds
// mu.
func (w *Writer) chain(batch []*Message) {
	prefix := w.prefix()
	floor := w.floor(prefix)
	before := w.before
	for _, m := range batch {
		last := before[m.Partition]
		m.Before, m.Number, m.Prefix, m.Floor = last.id, last.number+1, prefix, floor
		before[m.Partition] = m.place()
	}
}

// prefix returns the prefix of the next batch. A reader starts below the prefix of the previous
// one, up to which all events are in the log as well.
func (w *Writer) prefix() Prefix {
	prefix := w.o.Prefix()
	if prefix.LSN < w.read.LSN {
		return w.read
	}
	return prefix
}

// send publishes messages behind the sequence after, each on condition that the log ends with
// the one before it, and returns the last sequence. The servers acknowledge the last message
// alone, which they accept only if they have all the others. After an error they have some first
// ones of them. The caller holds mu.
func (w *Writer) send(ctx context.Context, messages []*Message, after uint64) (last uint64, err error) {
	var payload []byte // which the client copies
	reader := readerOf(messages[0].Prefix, messages[0].Floor)
	for i, m := range messages {
		out := m.encode(w.log.names, reader, after+uint64(i), payload)
		if i < len(messages)-1 {
			err = w.log.conn.PublishMsg(out)
		} else if ack, refusal := w.log.js.PublishMsg(ctx, out, jetstream.WithExpectStream(w.log.names.Stream), jetstream.WithRetryAttempts(0)); refusal == nil {
			last = ack.Sequence
		} else {
			err = refusal
		}
		if err != nil {
			return 0, err
		}
		payload = out.Data[:0]
	}
	return last, nil
}

// refused returns how many messages of a batch the log has after a refusal, and why it has not
// more: because of another writer, or for a reason that the servers tell when the first one that is
// missing is sent again. The caller holds mu.
func (w *Writer) refused(ctx context.Context, batch []*Message, refusal error) (written int, err error) {
	for {
		if written, err = w.written(ctx, batch); err != nil {
			return 0, fmt.Errorf("%w: %w", err, refusal)
		}
		if written == len(batch) {
			return written, nil
		}
		_, err = w.send(ctx, batch[written:written+1], w.end+uint64(written))
		switch {
		case err == nil: // it was refused for a moment
			return written + 1, nil
		case !isWrongSequence(err):
			return written, err
		}
		if err := retry.Sleep(ctx, storing); err != nil {
			return 0, fmt.Errorf("%w: %w", err, refusal)
		}
	}
}

// storing is a pause in which servers store what they have accepted.
const storing = 50 * time.Millisecond

// written returns how many messages of a batch are at the end of the log, or ErrFenced if it does not end
// with this writer's messages. The caller holds mu.
func (w *Writer) written(ctx context.Context, batch []*Message) (int, error) {
	info, err := w.stream.Info(ctx)
	if err != nil {
		return 0, lookUp(w.log.names.Stream, err)
	}
	state := info.State
	if state.LastSeq < w.end || state.LastSeq > w.end+uint64(len(batch)) {
		return 0, ErrFenced
	}
	n, id := int(state.LastSeq-w.end), w.endID
	if n > 0 {
		id = batch[n-1].ID
	} else if state.Msgs == 0 { // there never was one, or all are removed
		return 0, nil
	}
	last, err := w.log.message(ctx, w.stream, state.LastSeq)
	if err == nil && (last == nil && id != "" || last != nil && last.ID != id) {
		err = ErrFenced
	}
	return n, err
}

func isWrongSequence(err error) bool {
	fault, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (fault.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || fault.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// note needs mu. It takes note of a message that is in the log.
func (w *Writer) note(m *Message) {
	of := mapping.ID{Timeline: everyTimeline, Commit: m.Commit}
	if m.Event != nil && !m.Event.ID.IsRepair() {
		of.Timeline = m.Event.ID.Timeline
	}
	if n := len(w.above); n == 0 || w.above[n-1].of != of {
		w.above = append(w.above, placed{m.Seq, of})
	}
}

// floor returns the first sequence that may be above the prefix. The caller holds mu.
func (w *Writer) floor(prefix Prefix) uint64 {
	for len(w.above) > 0 && prefix.Has(w.above[0].of) {
		w.above = w.above[1:]
	}
	if len(w.above) == 0 {
		return w.end + 1
	}
	return w.above[0].seq
}
