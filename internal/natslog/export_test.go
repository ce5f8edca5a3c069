package natslog

import (
	"time"

	"github.com/nats-io/nats.go"

	"github.com/hooktail/hooktail/dispatch"
)

// KeepSince has a Purger keep what was written from then on.
func (p *Purger) KeepSince(then time.Time) {
	p.now = func(time.Time) time.Time { return then.Add(p.keep) }
}

// Received is the number of bytes that the servers have sent.
func (l *Log) Received() uint64 { return l.conn.Stats().InBytes }

// FenceMessages is the number of messages of a fence.
const FenceMessages = batchMessages

// WithoutFence has the Writer begin without a fence.
func (w *Writer) WithoutFence() { w.fenced = true }

// Batch returns the messages of a batch that the Writer would publish, without publishing them.
func (w *Writer) Batch(deliveries []dispatch.Delivery) (out []*nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := split(deliveries, messageBytes)
	w.chain(batch)
	for i, m := range batch {
		out = append(out, m.encode(w.log.names, readerOf(m.Prefix, m.Floor), w.end+uint64(i), nil))
	}
	return out
}

// Echoes reports whether the tail takes messages from its process's memory.
func (t *Tail) Echoes() bool { return t.echoes }

// Echoed is the number of bytes that are kept for the tail.
func (l *Log) Echoed() int {
	l.echo.mu.Lock()
	defer l.echo.mu.Unlock()
	return l.echo.bytes
}

// LooksEvery has readings look that often whether messages can come.
func (l *Log) LooksEvery(d time.Duration) { l.idle = d }

// Remembers is how much the Writer has in memory of messages above the prefix.
func (w *Writer) Remembers() (n int) {
	n = len(w.above)
	for _, s := range w.found {
		n += len(s.events) + len(s.others)
	}
	return n
}
