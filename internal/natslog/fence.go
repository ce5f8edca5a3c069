package natslog

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// fencePrefix is the prefix of the ids of fences.
const fencePrefix = "fence-"

// fence makes the log longer by batchMessages, in one step. A deposed writer that was frozen, or
// whose network was slow, may have part of a batch on its way: messages that expect the log to
// end at one of the batchMessages sequences from that writer's end on. The log has ended there
// or later before the fence; after it, it will never end there again, so that none of them is
// accepted between the messages of this writer. The caller holds mu.
func (w *Writer) fence(ctx context.Context) error {
	prefix := w.prefix()
	reader := readerOf(prefix, w.floor(prefix))
	out := make([]*nats.Msg, batchMessages)
	for i := range out {
		m := &Message{Partition: noPartition, ID: fmt.Sprintf("%s%s-%d", fencePrefix, w.term, i+1)}
		out[i] = m.encode(w.log.names, reader, w.end, nil)
		if i > 0 { // the server allows it for the first one alone
			delete(out[i].Header, expectedHeader)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	ack, err := jetstreamext.PublishMsgBatch(ctx, w.log.js, out, jetstreamext.BatchFlowControl{})
	switch {
	case isWrongSequence(err):
		return fmt.Errorf("%w: %w", ErrFenced, err)
	case err != nil:
		return fmt.Errorf("write a fence: %w", err)
	case ack.Sequence != w.end+uint64(len(out)):
		return ErrFenced
	}
	w.log.echo.add(w.end, ack.Sequence, nil)
	w.end, w.endID, w.fenced = ack.Sequence, out[len(out)-1].Header.Get(idHeader), true
	return nil
}
