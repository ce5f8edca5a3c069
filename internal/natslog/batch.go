package natslog

import (
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// Bounds of an atomic batch: the server takes 1,000 messages.
const (
	batchMessages = 1000
	batchBytes    = 8 << 20
	messageBytes  = 512 << 10 // of a payload; a larger one is stored in log_body
)

// cut is the first messages that fit into a batch, and the rest. The messages of one event,
// which have the same ID and are next to each other, stay together if a batch has room for
// them.
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

// eventAt is where the messages of the event at i end, and their bytes.
func eventAt(messages []*Message, i int) (end, bytes int) {
	for end = i; end < len(messages) && messages[end].ID == messages[i].ID; end++ {
		if !messages[end].Stored {
			bytes += messages[end].Bytes
		}
	}
	return end, bytes
}

// split makes the messages of the deliveries, which are in the order of the stream and have
// those of one event next to each other. Of an event each partition gets one message.
func split(deliveries []dispatch.Delivery) (messages []*Message) {
	for len(deliveries) > 0 {
		n := 1
		for n < len(deliveries) && deliveries[n].Event == deliveries[0].Event {
			n++
		}
		messages = append(messages, splitEvent(deliveries[:n])...)
		deliveries = deliveries[n:]
	}
	return messages
}

func splitEvent(deliveries []dispatch.Delivery) (messages []*Message) {
	e := deliveries[0].Event
	id, bytes := e.ID.String(), payloadLen(e)
	var of [Partitions]*Message
	for i := range deliveries {
		d := &deliveries[i]
		p := PartitionOf(d.Hook)
		if d.Done == nil { // it was adopted afterwards
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
		m.fit()
	}
	return messages
}

// fit leaves the payload out that no hook of the message gets, and marks one that is too large.
func (m *Message) fit() {
	m.bare = true
	for _, t := range m.Targets {
		m.bare = m.bare && !t.Payload
	}
	if m.bare {
		m.Bytes = 0
	}
	m.Stored = m.Bytes > messageBytes
}
