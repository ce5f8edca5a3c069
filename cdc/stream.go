package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
)

// Options say what a Stream reads and how. Config, Slot and Publication are
// required; for the others the zero value stands for the default.
type Options struct {
	Config      *pgconn.Config        // of an ordinary connection; the stream adds what replication needs
	Renew       func() *pgconn.Config // is Config with the credentials of now; nil, or returning nil: Config
	Slot        string
	Publication string
	Tables      []Table // that the publication must have

	// Temporary makes a slot of this connection's own, from now on, which goes with
	// it: for looking on. A connection that breaks ends the stream.
	Temporary bool

	PartRows   int // bound of a Part: 1000
	PartBytes  int // bound of a Part: 1 MiB; one row that is bigger is a Part of its own
	QueueBytes int // bound of the parts that have not been freed: 16 MiB

	// Timeout is the wal_sender_timeout of the connection (30 s): the server
	// hears of the stream three times as often, and a server that has not been
	// heard of for as long is given up.
	Timeout         time.Duration
	StatusInterval  time.Duration // at most one status for an advance in this time: 100 ms
	ConnectPatience time.Duration // for the very first connection: 30 s; negative: for ever
	RetryMax        time.Duration // longest pause between connections: 10 s

	ApplicationName string // hooktail

	// Memory is what is remembered of the slot, nil if nothing is; it is called before the
	// first connection that streams. What contradicts it is a Gap.
	Memory func(ctx context.Context) (*Memory, error)

	// MayConfirm is asked before a newer position is confirmed; false keeps the server
	// at the last one. It is called in the reader's goroutine and must not block.
	MayConfirm func() bool

	// OnConnect is called on each connection before anything is read, in the
	// reader's goroutine. An error ends the connection, and if it is or wraps a
	// Fault or a Gap, the stream.
	OnConnect func(ctx context.Context, slot Slot) error

	// OnHeartbeat is called with the content of each logical message that has
	// the prefix, in the reader's goroutine: it must not block. See
	// pg_logical_emit_message.
	HeartbeatPrefix string // hooktail
	OnHeartbeat     func(content string)

	// Messages is the prefix of the logical messages that come as changes, each in its
	// place in its transaction; "": none do.
	Messages string

	// OnLoose is called for each message of that prefix that is in no transaction, and so
	// no change, in the reader's goroutine. nil: nobody is told.
	OnLoose func()

	Log *slog.Logger // nothing is logged without
}

func (o Options) withDefaults() Options {
	o.PartRows = cmp.Or(o.PartRows, 1000)
	o.PartBytes = cmp.Or(o.PartBytes, 1<<20)
	o.QueueBytes = cmp.Or(o.QueueBytes, 16<<20)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.StatusInterval = min(cmp.Or(o.StatusInterval, 100*time.Millisecond), o.Timeout/3)
	o.ConnectPatience = cmp.Or(o.ConnectPatience, 30*time.Second)
	o.RetryMax = cmp.Or(o.RetryMax, 10*time.Second)
	o.ApplicationName = cmp.Or(o.ApplicationName, "hooktail")
	o.HeartbeatPrefix = cmp.Or(o.HeartbeatPrefix, "hooktail")
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	return o
}

// Stream reads one replication slot and survives the connections it reads it
// on. Each change is handed over once in the life of a Stream, in commit order;
// after a restart of the program the changes from the confirmed position on
// come again.
//
// Run owns the connection and must be running for Next to return anything. One
// goroutine may call Next; the other methods may be called from any.
type Stream struct {
	o         Options
	position  *Position
	queue     *queue
	assembler assembler // of the goroutine in Run
	pending   []*Part   // of the goroutine in Run: finished, no room in the queue yet
	connected bool      // of the goroutine in Run: ever
	wake      waker
	trouble   logging.Repeat // with the connection

	stopOnce sync.Once
	stopped  chan struct{} // closed by StopReading
	started  chan struct{} // closed when the slot was first streamed from
	renew    chan error    // holds the reason why the connection is to be given up

	whole *Memory // of the goroutine that calls Look: as of the last time that the publication was whole

	mu     sync.Mutex
	stats  Stats
	memory *Memory // as of the last connection, but for the position; nil before the first
}

// New makes a stream that does nothing until Run.
func New(o Options) *Stream {
	o = o.withDefaults()
	s := &Stream{
		o: o, position: NewPosition(0), queue: newQueue(o.QueueBytes),
		stopped: make(chan struct{}), started: make(chan struct{}), renew: make(chan error, 1),
	}
	s.assembler = assembler{slot: o.Slot, rows: o.PartRows, bytes: o.PartBytes, position: s.position, free: s.queue.free}
	if o.Messages != "" {
		s.assembler.messages = messageRelation(o.Messages)
	}
	return s
}

// Run streams until ctx is cancelled, and connects again whenever the
// connection fails. Once ctx is cancelled it tells the server the confirmed
// position, waits for the server to have recorded it, and returns nil; an error
// then means that the server could not be told, and changes that were confirmed
// come again next time.
//
// Run returns at once with a *Gap when changes are missing, with a *Diverged when a new
// Stream has to begin where the slot stands, and with a *Fault when only a person can mend
// what is wrong. A stream that the server has begun once waits for that person instead,
// unless it is a Temporary one: roles, passwords and tables change under a program that
// runs, and are put right under it.
func (s *Stream) Run(ctx context.Context) (err error) {
	defer func() { s.queue.close(err) }()
	began, attempt := time.Now(), 0
	activePID := ""
	for {
		streamed, err := s.connection(ctx)
		switch {
		case ctx.Err() != nil || err == nil:
			return err
		case s.ends(err):
			return err
		case s.o.Temporary && s.connected:
			return fmt.Errorf("the temporary slot went with its connection: %w", err)
		case !s.connected && s.o.ConnectPatience > 0 && time.Since(began) > s.o.ConnectPatience:
			return &Fault{Unreachable, fmt.Sprintf("no connection to the database within %s", s.o.ConnectPatience), "", err}
		}
		if streamed {
			attempt = 0
		}
		pause := backoff(attempt, firstRetry, s.o.RetryMax, rand.Float64())
		var active *activeError
		if errors.As(err, &active) {
			pause = min(pause, activeRetry) // the takeover is to be swift
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

// ends reports whether err is the end of the stream.
func (s *Stream) ends(err error) bool {
	var fault *Fault
	if !errors.As(err, &fault) {
		return Final(err) || isDiverged(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Connections == 0 || s.o.Temporary
}

const (
	firstRetry  = 100 * time.Millisecond
	activeRetry = 500 * time.Millisecond
)

// unconfirmed is the error of a stream that ends without a connection.
func (s *Stream) unconfirmed() error {
	s.mu.Lock()
	told := s.stats.Recorded
	s.mu.Unlock()
	if confirmed := s.position.Confirmed(); confirmed > told {
		return fmt.Errorf("confirm %s to the server: not connected", confirmed)
	}
	return nil
}

// Next waits for changes and returns all parts that have accumulated, at least
// one, in order. The caller frees each part (Part.Free) and closes each
// transaction (Part.Tx). After StopReading, or the end of Run, Next returns what is left and then
// ErrStopped, or the error of Run.
func (s *Stream) Next(ctx context.Context) ([]*Part, error) { return s.queue.take(ctx) }

// Started is closed when the server has begun to stream for the first time: then
// whoever had the slot before has let go of it.
func (s *Stream) Started() <-chan struct{} { return s.started }

// Timeout is Options.Timeout, or the default: for as long may the server keep the slot
// for a connection that is gone.
func (s *Stream) Timeout() time.Duration { return s.o.Timeout }

// Position is what has been confirmed, and is still outstanding, of the stream.
func (s *Stream) Position() *Position { return s.position }

// StopReading makes the stream finish the transaction that it is in and read no
// further. The connection stays, and the server is told of what gets confirmed,
// until the context of Run is cancelled.
func (s *Stream) StopReading() {
	s.stopOnce.Do(func() { close(s.stopped) })
	s.wake.now()
}

// Reconnect gives the connection up, for that reason, and makes it anew. It does
// nothing while there is none.
func (s *Stream) Reconnect(reason error) {
	select {
	case s.renew <- reason:
	default: // it is being given up
	}
	s.wake.now()
}

// givenUp is the reason of Reconnect, nil if it was not called.
func (s *Stream) givenUp() error {
	select {
	case reason := <-s.renew:
		return reason
	default:
		return nil
	}
}

func (s *Stream) stopping() bool {
	select {
	case <-s.stopped:
		return true
	default:
		return false
	}
}

// Stats are numbers for metrics and status pages.
type Stats struct {
	Connected   bool      // streaming at this moment
	Fault       error     // why the last connection failed or ended; nil while streaming
	Connections int       // that have streamed, this one included
	SystemID    string    // of the server
	Timeline    int32     // of the server
	LastMessage time.Time // when the server was heard of, by the own clock
	Held        bool      // nothing is read: the consumer has no room
	ServerEnd   LSN       // up to where the server has read its WAL for us, by its last keepalive
	Confirmed   LSN       // everything before it is done
	Recorded    LSN       // of it, what the server has been told
	Outstanding int       // transactions that are not done
	QueueBytes  int       // of the parts that have not been freed
	Reading     Reading   // a large transaction
}

// Reading is how far a transaction has been read that is larger than a part; zero:
// there is none.
type Reading struct {
	Committed time.Time // by the clock of the database
	Since     time.Time // when its first message came
	From      LSN       // of its first change
	At        LSN       // of the newest that was read
	End       LSN       // of its commit
	Changes   int       // read
}

// Stats is the present state.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	stats := s.stats
	s.mu.Unlock()
	stats.Confirmed, stats.Outstanding = s.position.Confirmed(), s.position.Outstanding()
	stats.QueueBytes = s.queue.bytes()
	return stats
}

// note changes the stats.
func (s *Stream) note(f func(*Stats)) {
	s.mu.Lock()
	f(&s.stats)
	s.mu.Unlock()
}
