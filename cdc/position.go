package cdc

import (
	"sync"
	"time"
)

// Position knows which transactions have been begun, which of their deliveries
// are outstanding, and so the LSN below which everything is done: the only LSN
// that may be confirmed to the server. It is safe for concurrent use.
//
// LSNs are taken as the server sent them: the end of a Commit message, or, when
// nothing at all is outstanding, the WAL end of a keepalive. There is no
// arithmetic on them.
type Position struct {
	mu        sync.Mutex
	open      []*Tx // in commit order; [0] is the oldest that is not done
	confirmed LSN
	at        time.Time
	done      LSN  // end of the newest transaction below confirmed
	frozen    bool // nothing moves it any more
}

// Tx is one transaction's claim on the position: the position stays before the
// transaction until it was closed and every hold on it was released.
type Tx struct {
	position *Position
	holds    int
	at       time.Time // of the commit
	end      LSN
	closed   bool
}

// NewPosition starts at the LSN that is confirmed already.
func NewPosition(confirmed LSN) *Position {
	return &Position{confirmed: confirmed}
}

// Begin registers the next transaction in commit order, with the time of its
// commit. It holds the position until it is closed.
func (p *Position) Begin(committed time.Time) *Tx {
	p.mu.Lock()
	defer p.mu.Unlock()
	tx := &Tx{position: p, at: committed}
	p.open = append(p.open, tx)
	return tx
}

// Hold adds n claims, for example one per event. It must be called before the
// transaction could be done: while another hold is outstanding or before Close.
func (t *Tx) Hold(n int) {
	t.position.mu.Lock()
	defer t.position.mu.Unlock()
	if t.closed && t.holds == 0 {
		panic("cdc: hold on a transaction that is done")
	}
	t.holds += n
}

// Done releases one hold.
func (t *Tx) Done() {
	t.position.mu.Lock()
	defer t.position.mu.Unlock()
	t.holds--
	if t.holds < 0 {
		panic("cdc: more holds released than taken")
	}
	t.position.advance()
}

// Close says that the whole transaction has been looked at and that no hold
// will be added to it. end is the end_lsn of its Commit message.
func (t *Tx) Close(end LSN) {
	t.position.mu.Lock()
	defer t.position.mu.Unlock()
	if t.closed {
		panic("cdc: transaction closed twice")
	}
	t.end, t.closed = end, true
	t.position.advance()
}

// advance moves over the contiguous prefix of transactions that are done.
func (p *Position) advance() {
	n := 0
	for n < len(p.open) && p.open[n].closed && p.open[n].holds == 0 {
		if p.move(p.open[n].end, p.open[n].at) {
			p.done = p.confirmed
		}
		p.open[n] = nil
		n++
	}
	p.open = p.open[n:]
}

// Idle moves to the WAL end of a keepalive, sent at that time, if nothing is
// outstanding, so that a database without changes, or with a busy neighbour,
// retains no WAL.
func (p *Position) Idle(walEnd LSN, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) != 0 {
		return
	}
	if first := p.confirmed == 0; p.move(walEnd, sent) && first {
		p.done = walEnd // what was done before the stream began
	}
}

// move reports whether the position was behind.
func (p *Position) move(to LSN, at time.Time) bool {
	if to <= p.confirmed || p.frozen {
		return false
	}
	p.confirmed, p.at = to, at
	return true
}

// freeze keeps the position where it is, whatever is finished: the LSNs of what is
// open mean nothing to the server any more.
func (p *Position) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// Delivered is the end of the newest transaction below Confirmed, or where the stream
// began. Between the two is WAL without a transaction of the stream.
func (p *Position) Delivered() LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// Confirmed is the LSN below which everything is done.
func (p *Position) Confirmed() LSN {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.confirmed
}

// ConfirmedAt is the LSN below which everything is done, and a time by the clock of
// the database before which everything that was committed is; zero: not known.
func (p *Position) ConfirmedAt() (LSN, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.confirmed, p.at
}

// Outstanding is the number of transactions that are not done.
func (p *Position) Outstanding() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// newest is when the newest of them was committed; zero: there is none.
func (p *Position) newest() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) == 0 {
		return time.Time{}
	}
	return p.open[len(p.open)-1].at
}
