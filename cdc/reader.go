package cdc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// burst is the number of messages after which a reader with more messages in its buffer
// interrupts reading for hand-over, status and context. Finished parts of PartBytes
// interrupt it too: the queue only bounds what was handed over.
const burst = 512

// reader reads one streaming connection. It belongs to the goroutine of Stream.Run.
type reader struct {
	s        *Stream
	conn     *pgconn.PgConn
	frontend *pgproto3.Frontend // reads from buffer
	buffer   *bufio.Reader

	start  time.Time // beginning of the stream
	handed LSN       // newest transaction of earlier connections
	proven bool      // it has worked

	anyBytes bool // values need not be UTF-8

	message message   // reused
	partial int       // bytes of an unfinished message when the socket was last empty
	heard   time.Time // last time that the socket had data
	told    time.Time // time of the last status
	sent    LSN       // position in that status, or in the last one of an earlier connection
	at      LSN       // position of the newest message
	from    LSN       // position of the transaction's first message
	begun   time.Time // its arrival
	wakeAt  time.Time // read deadline of the connection; zero after it has passed
	asked   time.Time // last time that the server requested a reply
	urging  time.Time // since then it has requested one reply right after another
}

// run reads until the connection fails, the stream cannot continue, or ctx is cancelled.
// Everything finished by then is handed over or pending.
func (r *reader) run(ctx context.Context) error {
	r.s.note(func(*Stats) { r.s.conn = r.conn.Conn() })
	defer r.s.note(func(*Stats) { r.s.conn = nil })
	defer context.AfterFunc(ctx, r.s.wake)()
	defer r.handOver()
	now := time.Now()
	r.start, r.handed = now, r.s.assembler.handed
	r.heard, r.told, r.sent = now, now, r.s.Stats().Recorded
	r.s.note(func(n *Stats) { n.LastMessage = now })
	_ = r.s.givenUp() // meant for the previous connection
	for {
		if err := r.pause(ctx); err != nil {
			return err
		}
		if err := r.read(ctx); err != nil {
			return err
		}
	}
}

// works reports whether the connection has brought a transaction or has lasted for
// RetryMax. A server may begin to stream and fail each time, for example at a row that it
// cannot decode.
func (r *reader) works(now time.Time) bool {
	return r.s.assembler.handed > r.handed || now.Sub(r.start) >= r.s.o.RetryMax
}

// read processes messages until the socket is empty and something is finished, until
// parts of PartBytes are finished, until its deadline, or for one burst.
func (r *reader) read(ctx context.Context) error {
	for n := range burst {
		fresh := n == 0 || r.drained()
		msg, err := r.frontend.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.wakeAt = time.Time{}
			if length := r.frontend.ReadBufferLen(); length != r.partial {
				r.partial, r.heard = length, time.Now() // a long message is arriving
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if fresh {
			r.heard = time.Now()
		}
		if err := r.handle(ctx, msg); err != nil {
			return err
		}
		between := !r.s.assembler.inside()
		if between && r.s.stopping.Load() {
			return nil
		}
		if r.drained() && (between || len(r.s.assembler.out) > 0) || r.s.assembler.ready >= r.s.o.PartBytes {
			return nil
		}
	}
	return nil
}

// drained reports whether the next Receive would have to wait for the socket.
func (r *reader) drained() bool {
	return r.frontend.ReadBufferLen() == 0 && r.buffer.Buffered() == 0
}

// handOver passes finished parts to the consumer as far as there is room.
func (r *reader) handOver() (done bool) {
	r.s.pending = append(r.s.pending, r.s.assembler.flush()...)
	if len(r.s.pending) > 0 {
		r.s.pending = r.s.queue.push(r.s.pending)
	}
	return len(r.s.pending) == 0
}

// pause runs between two series of messages. It hands over what was read, suspends
// reading while the consumer has no room or the stream is stopping, keeps the server
// informed, and sets the time of the next pause.
func (r *reader) pause(ctx context.Context) error {
	stopping := r.s.stopping.Load()
	if !r.handOver() || stopping && !r.s.assembler.inside() {
		if err := r.hold(ctx); err != nil {
			return err
		}
		r.heard = time.Now() // nothing was read meanwhile
	}
	r.s.note(func(*Stats) {
		if r.s.atWork.After(r.heard) {
			r.heard = r.s.atWork
		}
	})
	now := time.Now()
	if now.Sub(r.heard) > r.s.o.Timeout {
		return fmt.Errorf("the server has been silent for %s", r.s.o.Timeout)
	}
	if err := r.status(now, false); err != nil {
		return err
	}
	if !r.proven && r.works(now) {
		r.proven = true
		r.s.trouble.Worked(ctx, r.s.o.Log, "replication connection restored")
	}
	r.s.note(func(n *Stats) { n.LastMessage, n.Reading = r.heard, r.reading() })
	// An early deadline is harmless, and setting one has a cost.
	if next := r.next(now); r.wakeAt.IsZero() || next.Before(r.wakeAt) {
		if err := r.conn.Conn().SetReadDeadline(next); err != nil {
			return fmt.Errorf("set read deadline: %w", err)
		}
		r.wakeAt = next
	}
	// Cancel, stop and give-up wake the reader by setting its deadline in the past; this
	// may just have overwritten it.
	if !stopping && r.s.stopping.Load() {
		r.s.wake()
	}
	if err := r.s.givenUp(); err != nil {
		return err
	}
	return ctx.Err()
}

// hold waits, without reading, until all pending parts are handed over; if the stream is
// stopping and between two transactions, until ctx is cancelled. It sends statuses
// meanwhile.
func (r *reader) hold(ctx context.Context) error {
	r.s.note(func(n *Stats) { n.Held = true })
	defer r.s.note(func(n *Stats) { n.Held = false })
	timer := time.NewTimer(r.s.o.Timeout)
	defer timer.Stop()
	for {
		if r.handOver() {
			if !r.s.stopping.Load() || r.s.assembler.inside() {
				return nil
			}
			r.s.queue.close(nil)
		}
		now := time.Now()
		if err := r.status(now, false); err != nil {
			return err
		}
		timer.Reset(r.next(now).Sub(now))
		select {
		case <-timer.C:
		case <-r.s.queue.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// handle handles one message of the connection.
func (r *reader) handle(ctx context.Context, msg pgproto3.BackendMessage) error {
	switch msg := msg.(type) {
	case *pgproto3.CopyData:
		return r.copyData(msg.Data)
	case *pgproto3.ErrorResponse:
		return pgconn.ErrorResponseToPgError(msg)
	case *pgproto3.NoticeResponse:
		r.s.o.Log.WarnContext(ctx, "the server says", "severity", msg.Severity, "message", msg.Message, "hint", msg.Hint)
		return nil
	case *pgproto3.ParameterStatus:
		return nil
	case *pgproto3.CopyDone, *pgproto3.CommandComplete:
		return errors.New("the server ended the stream")
	default:
		return fmt.Errorf("unexpected message %T", msg)
	}
}

// copyData handles a message of the streaming replication protocol.
// https://www.postgresql.org/docs/current/protocol-replication.html
func (r *reader) copyData(data []byte) error {
	err := errShort
	switch {
	case len(data) == 0:
	case data[0] == pglogrepl.XLogDataByteID:
		var x pglogrepl.XLogData
		if x, err = pglogrepl.ParseXLogData(data[1:]); err == nil {
			return r.change(x)
		}
	case data[0] == pglogrepl.PrimaryKeepaliveMessageByteID:
		var k pglogrepl.PrimaryKeepaliveMessage
		if k, err = pglogrepl.ParsePrimaryKeepaliveMessage(data[1:]); err == nil {
			return r.keepalive(k)
		}
	default:
		err = fmt.Errorf("unknown message type %q", data[0])
	}
	return protocolFault(err)
}

func protocolFault(err error) error {
	return &Fault{Reason: Protocol, What: "the server sent a message that cannot be decoded", Err: err}
}

// heartbeatPrefix is the prefix of the messages of Options.OnHeartbeat.
const heartbeatPrefix = "hooktail"

func (r *reader) change(x pglogrepl.XLogData) error {
	m := &r.message
	if err := m.decode(x.WALData); err != nil {
		return protocolFault(fmt.Errorf("at %s: %w", x.WALStart, err))
	}
	if r.anyBytes {
		m.old.makeUTF8()
		m.new.makeUTF8()
	}
	if m.kind == kindLogical && string(m.prefix) == heartbeatPrefix {
		if r.s.o.OnHeartbeat != nil {
			r.s.o.OnHeartbeat(string(m.content))
		}
		return nil
	}
	if m.kind == kindLogical && !m.transactional {
		if r.s.o.OnLoose != nil && string(m.prefix) == r.s.o.Messages {
			r.s.o.OnLoose()
		}
		return nil
	}
	if r.at = x.WALStart; m.kind == kindBegin {
		r.from, r.begun = x.WALStart, r.heard
	}
	err := r.s.assembler.add(m, arrival{received: r.heard, sent: x.ServerTime})
	if err != nil && !Final(err) {
		return protocolFault(fmt.Errorf("at %s: %w", x.WALStart, err))
	}
	return err
}

// reading returns the progress of the present transaction if it is larger than a part.
func (r *reader) reading() Reading {
	t := r.s.assembler.open
	if t == nil || t.handed == 0 {
		return Reading{}
	}
	return Reading{Committed: t.time, Since: r.begun, From: r.from, At: r.at, End: t.commit, Changes: t.next}
}

// keepalive moves the position if nothing is outstanding: the server has sent
// everything before its WAL end.
func (r *reader) keepalive(k pglogrepl.PrimaryKeepaliveMessage) error {
	r.s.note(func(n *Stats) { n.ServerEnd = k.ServerWALEnd })
	if !r.s.assembler.inside() {
		r.s.position.Idle(k.ServerWALEnd, k.ServerTime)
	}
	if !k.ReplyRequested {
		return nil
	}
	now := time.Now()
	if now.Sub(r.asked) > urgingPause {
		r.urging = now
	}
	if r.asked = now; now.Sub(r.urging) > urgingPatience {
		return errStops
	}
	return r.status(now, true)
}

// A server that stops waits until everything that it has sent is confirmed, however long
// that takes, and requests a reply right after each one. The stream lets it go if the
// consumer does not finish soon; the rest comes again. Otherwise a server requests a reply
// after half of its timeout.
const (
	urgingPause    = 500 * time.Millisecond
	urgingPatience = 5 * time.Second
)

var errStops = errors.New("the server is stopping, and waits for changes that are not finished")

// close closes the connection without waiting.
func (r *reader) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = r.conn.Close(ctx) // finish has sent the last status
}
