package natslog

import (
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

// cut returns the first messages, as many as fit into a batch, and the rest. It keeps the
// messages of one event together if they fit into a batch; they are adjacent and have the same
// ID.
func cut(messages []*Message) (batch, rest []*Message) {
	n, bytes := 0, 0
	for n < len(messages) {
		end, size := eventAt(messages, n)
		if n > 0 && (end > batchMessages || bytes+size > batchBytes) {
			break
		}
		n, bytes = end, bytes+size
	}
	n = min(n, batchMessages)
	return messages[:n], messages[n:]
}

// eventAt returns the end of the messages of the event at i, and their size.
func eventAt(messages []*Message, i int) (end, bytes int) {
	for end = i; end < len(messages) && messages[end].ID == messages[i].ID; end++ {
		if !messages[end].Stored {
			bytes += messages[end].Bytes
		}
	}
	return end, bytes
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
		m.fit(largest)
	}
	return messages
}

// fit drops a payload that no hook of the message receives, and marks one that is too large.
func (m *Message) fit(largest int) {
	m.bare = true
	for _, t := range m.Targets {
		m.bare = m.bare && !t.Payload
	}
	if m.bare {
		m.Bytes = 0
	}
	m.Stored = m.Bytes > largest
}
