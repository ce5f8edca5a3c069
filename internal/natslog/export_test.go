package natslog

import "time"

// KeepSince has a Purger keep what was written from then on.
func (p *Purger) KeepSince(then time.Time) {
	p.now = func() time.Time { return then.Add(p.keep) }
}

// Received is the number of bytes that the servers have sent.
func (l *Log) Received() uint64 { return l.conn.Stats().InBytes }
