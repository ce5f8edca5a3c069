package cdc

import (
	"sync"
	"time"
)

// Position tracks which transactions have begun and which of their deliveries are
// outstanding. From these follows the LSN below which everything is done, the only LSN
// that may be confirmed to the server. It is safe for concurrent use.
//
// All LSNs come from the server: the end of a Commit message, or, when nothing is
// outstanding, the WAL end of a keepalive. There is no arithmetic on them.
type Position struct {
	mu     sync.Mutex
	open   []*Tx // in commit order; [0] is the oldest unfinished one
	now    progress
	frozen bool // the position no longer moves
}

// progress is how far a Position has come.
type progress struct {
	confirmed LSN       // everything before it is done
	at        time.Time // everything committed before it is done, by the database's clock; zero: unknown
	// delivered is the end of the newest transaction below confirmed, or the beginning of
	// the stream. The WAL between the two has no transaction of the stream.
	delivered   LSN
	outstanding int       // number of unfinished transactions
	newest      time.Time // commit time of the newest of them; zero: none
}

// Tx is one transaction's claim on the position: the position stays before the
// transaction until the transaction is closed and all its holds are released.
type Tx struct {
	position *Position
	holds    int
	at       time.Time // commit time
	end      LSN
	closed   bool
}

// NewPosition returns a position that begins at a confirmed LSN.
func NewPosition(confirmed LSN) *Position {
	return &Position{now: progress{confirmed: confirmed}}
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

// Hold adds n claims, for example one per event. It must be called while another hold is
// outstanding or before Close.
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

// Close states that no hold will be added. end is the end_lsn of the transaction's Commit
// message.
func (t *Tx) Close(end LSN) {
	t.position.mu.Lock()
	defer t.position.mu.Unlock()
	if t.closed {
		panic("cdc: transaction closed twice")
	}
	t.end, t.closed = end, true
	t.position.advance()
}

// advance moves past the contiguous prefix of finished transactions.
func (p *Position) advance() {
	n := 0
	for n < len(p.open) && p.open[n].closed && p.open[n].holds == 0 {
		if p.move(p.open[n].end, p.open[n].at) {
			p.now.delivered = p.now.confirmed
		}
		p.open[n] = nil
		n++
	}
	p.open = p.open[n:]
}

// Idle moves to the WAL end of a keepalive sent at that time, if nothing is outstanding.
// So a database without changes, or with a busy neighbour, retains no WAL.
func (p *Position) Idle(walEnd LSN, sent time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.open) != 0 {
		return
	}
	if first := p.now.confirmed == 0; p.move(walEnd, sent) && first {
		p.now.delivered = walEnd // done before the stream began
	}
}

// move reports whether the position moved.
func (p *Position) move(to LSN, at time.Time) bool {
	if to <= p.now.confirmed || p.frozen {
		return false
	}
	p.now.confirmed, p.now.at = to, at
	return true
}

// freeze stops the position permanently: the LSNs of open transactions are no longer
// valid on the server.
func (p *Position) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// progress returns how far the position has come.
func (p *Position) progress() progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now
	if now.outstanding = len(p.open); now.outstanding > 0 {
		now.newest = p.open[now.outstanding-1].at
	}
	return now
}
