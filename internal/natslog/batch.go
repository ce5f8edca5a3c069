package natslog

import (
	"slices"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// Limits of a batch, which is acknowledged as a whole: more messages would make fences longer,
// fewer would wait more often.
const (
	batchMessages = 128
	batchBytes    = 8 << 20
	messageBytes  = 512 << 10 // of a payload; a larger one is stored in log_body
	headersRoom   = 64 << 10  // for the headers, of what the servers accept as a message
)

// cut returns how many of the first messages fit into a batch. It keeps the messages of one event
// together if they fit into a batch; they are adjacent and have the same ID.
func cut(messages []*Message) int {
	whole, bytes := 0, 0 // number of the messages of whole events; size of all
	for i, m := range messages {
		if i > 0 && m.ID != messages[i-1].ID {
			whole = i
		}
		if !m.Stored {
			bytes += m.Bytes
		}
		switch {
		case whole > 0 && (i >= batchMessages || bytes > batchBytes):
			return whole
		case i >= batchMessages:
			return i
		}
	}
	return len(messages)
}

// split makes messages of the deliveries, one per event and partition. The deliveries are in
// the order of the stream, those of one event adjacent. A payload of more than largest bytes is
// not part of its message.
func split(deliveries []dispatch.Delivery, largest int) (messages []*Message) {
	for len(deliveries) > 0 {
		n := 1
		for n < len(deliveries) && deliveries[n].Event == deliveries[0].Event {
			n++
		}
		messages = append(messages, splitEvent(deliveries[:n], largest)...)
		deliveries = deliveries[n:]
	}
	return messages
}

func splitEvent(deliveries []dispatch.Delivery, largest int) (messages []*Message) {
	e := deliveries[0].Event
	id, bytes := e.ID.String(), payloadLen(e)
	var of [Partitions]*Message
	for i := range deliveries {
		d := &deliveries[i]
		p := PartitionOf(d.Hook)
		if d.Done == nil { // the hook was adopted afterwards
			messages = append(messages, &Message{Partition: p, ID: id + adopted + text(d.Hook), Event: e, Commit: e.ID.Commit, Targets: []hook.Target{d.Target}, Bytes: bytes})
			continue
		}
		if of[p] == nil {
			of[p] = &Message{Partition: p, ID: id, Event: e, Commit: e.ID.Commit, Bytes: bytes}
			messages = append(messages, of[p])
		}
		of[p].Targets = append(of[p].Targets, d.Target)
	}
	for _, m := range messages {
		m.bare = !slices.ContainsFunc(m.Targets, func(t hook.Target) bool { return t.Payload })
		if m.bare {
			m.Bytes = 0
		}
		m.Stored = m.Bytes > largest
	}
	return messages
}
