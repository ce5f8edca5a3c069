package natslog

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// readBack reads the ends of the log and its partitions, and the messages above the prefix.
func (w *Writer) readBack(ctx context.Context) error {
	for p := range w.found {
		w.found[p] = idsOf(nil)
	}
	w.end = w.stream.CachedInfo().State.LastSeq
	if w.end == 0 {
		return nil
	}
	last, err := w.log.decoded(w.stream.GetLastMsgForSubject(ctx, w.log.names.all()))
	if err != nil {
		return err
	}
	if last == nil {
		last = &Message{}
	}
	if last.Seq < w.end {
		w.o.Log.Error("The last messages of the log were removed: events that are confirmed and were not delivered are missing", "from", last.Seq+1, "to", w.end)
	} else {
		w.endID = last.ID
	}
	if last.Seq == 0 {
		return nil
	}
	w.read = last.Prefix
	for p := range Partitions {
		m, err := w.log.lastOf(ctx, w.stream, p)
		if err != nil {
			return err
		}
		if m != nil {
			w.before[p] = m.place()
		}
	}
	return w.scan(ctx, last.Floor, last.Seq)
}

// scan reads the log from the floor to the sequence end, which a message has.
func (w *Writer) scan(ctx context.Context, floor, end uint64) error {
	if floor > end {
		return nil
	}
	messages, err := w.log.read(ctx, w.stream, jetstream.OrderedConsumerConfig{HeadersOnly: true}, floor, end)
	if err != nil {
		return err
	}
	defer messages.Close()
	for messages.at.seq < end {
		m, err := messages.next(ctx)
		if err != nil {
			return err
		}
		if m.isFence() {
			continue
		}
		w.note(m)
		// One to a hook that was adopted later does not show that other hooks have the event.
		if !w.read.hasID(m.ID) && !strings.Contains(m.ID, adopted) {
			w.found[m.Partition].add(m.ID)
		}
	}
	return nil
}
