package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
)

// Options configures a Stream. Config, Slot and Publication are required; zero values of
// the others stand for defaults.
type Options struct {
	Config      *pgconn.Config        // options of an ordinary connection; the stream adds those for replication
	Renew       func() *pgconn.Config // returns Config with the present credentials; nil, or returning nil: Config
	Slot        string
	Publication string
	Tables      []Table // tables that the publication must contain

	// Temporary makes the stream read a new slot that lasts as long as its connection.
	// The stream ends with the connection.
	Temporary bool

	PartRows   int // maximum rows of a Part; default 1000
	PartBytes  int // maximum size of a Part; default 1 MiB. A larger row is a Part of its own
	QueueBytes int // maximum size of all parts that are not freed; default 16 MiB

	// Timeout is the wal_sender_timeout of the connection (default 30 s). The stream
	// sends statuses three times as often, and closes the connection after as long
	// without a message from the server.
	Timeout         time.Duration
	StatusInterval  time.Duration // minimum pause between statuses for an advance; default 100 ms
	ConnectPatience time.Duration // limit for the very first connection; default 30 s; negative: none
	RetryMax        time.Duration // longest pause between connections; default 10 s

	// Memory returns what is remembered of the slot, nil if nothing; it is called before
	// the first connection that streams. A contradiction with it is a Gap.
	Memory func(ctx context.Context) (*Memory, error)

	// MayConfirm is called before a newer position is confirmed; false keeps the server
	// at the last one. It is called in the reader's goroutine and must not block.
	MayConfirm func() bool

	// Hold is asked how much of the position may be told to the server; nil: all of it. It
	// is called as MayConfirm is. The server is never told less than before.
	Hold func(position LSN) LSN

	// OnConnect is called for each connection before anything is read, in the reader's
	// goroutine. An error ends the connection; if it is or wraps a Fault or a Gap, it
	// ends the stream.
	OnConnect func(ctx context.Context, slot Slot) error

	// OnHeartbeat is called with the content of each logical message that has the prefix
	// hooktail, in the reader's goroutine, and must not block. See pg_logical_emit_message.
	OnHeartbeat func(content string)

	// Messages is the prefix of logical messages that count as changes, each at its place
	// in its transaction; "": none do.
	Messages string

	// OnLoose is called for each non-transactional message with that prefix, which is not
	// a change, in the reader's goroutine; may be nil.
	OnLoose func()

	Log *slog.Logger // nil: no log
}

func (o Options) withDefaults() Options {
	o.PartRows = cmp.Or(o.PartRows, 1000)
	o.PartBytes = cmp.Or(o.PartBytes, 1<<20)
	o.QueueBytes = cmp.Or(o.QueueBytes, 16<<20)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.StatusInterval = min(cmp.Or(o.StatusInterval, 100*time.Millisecond), o.Timeout/3)
	o.ConnectPatience = cmp.Or(o.ConnectPatience, 30*time.Second)
	o.RetryMax = cmp.Or(o.RetryMax, 10*time.Second)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// Stream reads one replication slot, over one connection after another. It hands over
// each change once, in commit order; after a restart of the program, changes after the
// confirmed position come again.
//
// Run owns the connection and must be running for Next to return anything. One
// goroutine may call Next; the other methods may be called from any.
type Stream struct {
	o         Options
	position  *Position
	queue     *queue
	assembler assembler      // owned by Run's goroutine
	pending   []*Part        // finished parts without room in the queue; owned by Run's goroutine
	connected bool           // it has connected before; owned by Run's goroutine
	trouble   logging.Repeat // reports connection errors

	stopping atomic.Bool   // StopReading was called
	started  chan struct{} // closed when streaming first began

	whole *Memory // as of the last time that the publication was complete; owned by the goroutine that calls Look

	mu     sync.Mutex
	conn   net.Conn // of the reader; nil while nobody reads
	renew  error    // reason to reconnect; nil: none
	stats  Stats
	memory *Memory   // as of the last connection, immutable; nil before the first
	atWork time.Time // when the server was last seen AtWork
}

// New returns a stream that does nothing until Run.
func New(o Options) *Stream {
	o = o.withDefaults()
	s := &Stream{o: o, position: NewPosition(0), queue: newQueue(o.QueueBytes), started: make(chan struct{})}
	s.assembler = assembler{slot: o.Slot, rows: o.PartRows, bytes: o.PartBytes, position: s.position, free: s.queue.free}
	if o.Messages != "" {
		s.assembler.messages = messageRelation(o.Messages)
	}
	return s
}

// Run streams until ctx is cancelled, and reconnects when the connection fails. After ctx
// is cancelled it sends the confirmed position, waits until the server has recorded it,
// and returns nil; an error then means that the server did not record it, and that
// confirmed changes come again next time.
//
// Run returns immediately with a *Gap when changes are missing, with a *Diverged when a
// new Stream must begin at the slot's position, and with a *Fault when only a person can
// fix the error. A stream that has streamed before waits for that person instead, unless
// it is Temporary: roles, passwords and tables change while a program runs, and are
// corrected while it runs.
func (s *Stream) Run(ctx context.Context) (err error) {
	defer func() { s.queue.close(err) }()
	began, attempt := time.Now(), 0
	activePID := ""
	for {
		worked, err := s.connection(ctx)
		switch {
		case ctx.Err() != nil && !worked:
			return s.unconfirmed()
		case ctx.Err() != nil || err == nil:
			return err
		case s.ends(err):
			return err
		case s.o.Temporary && s.connected:
			return fmt.Errorf("the temporary slot was lost with its connection: %w", err)
		case !s.connected && s.o.ConnectPatience > 0 && time.Since(began) > s.o.ConnectPatience:
			return &Fault{Unreachable, fmt.Sprintf("no connection to the database within %s", s.o.ConnectPatience), "", err}
		}
		if worked {
			attempt = 0
		}
		pause := backoff(attempt, firstRetry, s.o.RetryMax, rand.Float64())
		if active, ok := errors.AsType[*activeError](err); ok {
			pause = min(pause, activeRetry) // for a fast takeover
			if active.pid == "" || active.pid != activePID {
				s.o.Log.WarnContext(ctx, "slot is in use: waiting", "slot", s.o.Slot, "pid", active.pid)
			}
			activePID = active.pid
		} else {
			activePID = ""
			level := slog.LevelWarn
			if Final(err) {
				level = slog.LevelError
			}
			s.trouble.Failed(ctx, s.o.Log, level, "replication connection failed", slog.Any("error", err), slog.Duration("retry_in", pause))
		}
		attempt++
		s.note(func(n *Stats) { n.Fault = err })
		if retry.Sleep(ctx, pause) != nil {
			return s.unconfirmed()
		}
	}
}

// ends reports whether err ends the stream.
func (s *Stream) ends(err error) bool {
	if _, fault := errors.AsType[*Fault](err); fault {
		return s.Stats().Connections == 0 || s.o.Temporary
	}
	_, diverged := errors.AsType[*Diverged](err)
	return diverged || Final(err)
}

const (
	firstRetry  = 100 * time.Millisecond
	activeRetry = 500 * time.Millisecond
)

// unconfirmed returns the error of a stream that ends without a connection.
func (s *Stream) unconfirmed() error {
	if s.o.Hold != nil {
		return nil // what is held back is confirmed by a later run
	}
	if n := s.Stats(); n.Confirmed > n.Recorded {
		return fmt.Errorf("confirm %s to the server: not connected", n.Confirmed)
	}
	return nil
}

// Next waits for changes and returns all parts that have accumulated, at least one, in
// order. The caller frees each part (Part.Free) and closes each transaction (Part.Tx).
// After StopReading or the end of Run, Next returns the remaining parts and then
// ErrStopped or the error of Run.
func (s *Stream) Next(ctx context.Context) ([]*Part, error) { return s.queue.pop(ctx) }

// Started is closed when the server has begun to stream for the first time: then an
// earlier reader has released the slot.
func (s *Stream) Started() <-chan struct{} { return s.started }

// Timeout returns Options.Timeout or its default: the server may keep the slot for a dead
// connection for as long.
func (s *Stream) Timeout() time.Duration { return s.o.Timeout }

// StopReading makes the stream finish the transaction that it is reading, and then stop
// reading. The connection stays open and confirms further positions until Run's context
// is cancelled.
func (s *Stream) StopReading() {
	s.stopping.Store(true)
	s.wake()
}

// Reconnect closes the connection for the given reason and opens a new one. It does
// nothing if there is no connection.
func (s *Stream) Reconnect(reason error) {
	s.note(func(*Stats) { s.renew = cmp.Or(s.renew, reason) }) // it may be being closed already
	s.wake()
}

// givenUp takes the reason given to Reconnect, or nil.
func (s *Stream) givenUp() (reason error) {
	s.note(func(*Stats) { reason, s.renew = s.renew, nil })
	return reason
}

// wake makes the present or next read of the connection return immediately. Any goroutine
// may call it.
func (s *Stream) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection is closed, and then reads end anyway
	}
}

// Stats holds figures for metrics and status pages.
type Stats struct {
	Connected   bool      // streaming at present
	Fault       error     // why the last connection failed or ended; nil while streaming
	Connections int       // number of connections that have streamed, including the present one
	SystemID    string    // of the server
	Timeline    int32     // of the server
	LastMessage time.Time // last message of the server, or time at which it was AtWork, by the local clock
	Held        bool      // reading is suspended: the consumer has no room
	ServerEnd   LSN       // how far the server has read its WAL for the stream, by its last keepalive
	Confirmed   LSN       // everything before it is done
	Recorded    LSN       // confirmed to the server, or recorded by it before
	Outstanding int       // unfinished transactions
	QueueBytes  int       // size of parts that are not freed
	Reading     Reading   // large transaction being read
}

// Reading is the progress of reading a transaction that is larger than a part; zero:
// none.
type Reading struct {
	Committed time.Time // by the database's clock
	Since     time.Time // arrival of its first message
	From      LSN       // first change
	At        LSN       // newest change read
	End       LSN       // commit
	Changes   int       // number of changes read
}

// Stats returns the present figures.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	read := s.position.progress()
	stats.Confirmed, stats.Outstanding = read.confirmed, read.outstanding
	stats.QueueBytes = s.queue.bytes()
	return stats
}

// note updates the stats, or other fields that mu guards.
func (s *Stream) note(f func(*Stats)) {
	s.mu.Lock()
	f(&s.stats)
	s.mu.Unlock()
}
