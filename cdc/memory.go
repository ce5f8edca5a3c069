package cdc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Memory is what is remembered of a stream that was read: how far, of which server, with
// which publication. A Stream has one of its own; an earlier run has left one written, by
// which a gap is found that opened while nothing ran.
type Memory struct {
	SystemID string
	Timeline int32
	End      LSN       // everything before it was done
	Done     LSN       // end of the newest transaction before End; 0: not known. Beyond it End rests on what the server said of its log
	At       time.Time // about the same by the clock of the database; zero: not known

	// Clean says that the run ended in order: nothing was confirmed beyond End.
	// Otherwise it may have confirmed more, but not later than half of unproven after
	// Written.
	Clean   bool
	Written time.Time // by the clock of the database
	Decoded Decoded   // for the slot until then

	Publication Published
	Gap         *Gap // that was found, and not mended yet; nil: none

	// Own is what this process itself remembers of streams before; nil: nothing. The
	// rest of a Memory is kept in the database, and goes back with it when it is restored.
	Own *Memory

	history []timeline // before Timeline, where this process has read it
}

// unproven is how long after Memory.Written a checkpoint has to have been made to prove
// that a slot behind it was not brought there by a run that did not end in order: twice
// as long as such a run may go on to confirm (Options.MayConfirm), since checkpoints take
// a while.
//
// A slot that was made anew is found without one, by what the server has decoded for it.
// For one that was advanced there is no better proof. Advancing decodes nothing that
// is counted, and leaves nothing else behind but when the slot was let go of
// (inactive_since, from PostgreSQL 17 on), while nobody knows until when the run that was
// killed had it: one whose position cannot be written confirms no more, and still reads.
// No other pair of an LSN and its time is kept by every server. And to
// confirm nothing that is not written before would be proof at once, but at most every 10
// seconds: after a kill -9 so much would be sent twice.
const unproven = time.Minute

func (m *Memory) published() Published {
	if m == nil {
		return nil
	}
	return m.Publication
}

// gap compares what an earlier run has left with what is found now; nil: nothing is
// missing. A slot that is behind is no gap: a server that crashed remembers an
// earlier position.
func (m *Memory) gap(slot *Slot, history *timelines, last checkpoint) *Gap {
	var why string
	var to LSN
	undone := m.undone(slot, history)
	switch {
	case m.Gap != nil:
		return m.Gap
	case slot.SystemID != m.SystemID:
		why = fmt.Sprintf("the server is another one (system identifier %s, not %s)", slot.SystemID, m.SystemID)
	case undone != nil:
		return undone
	case slot.Confirmed > m.End && (m.Clean || m.Decoded.exceeds(slot.Decoded) || last.proves(m, slot)):
		why, to = "the slot was moved or made anew by someone else", slot.Confirmed
	default:
		why = m.Publication.Lost(slot.Published)
	}
	if why == "" {
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: m.End, Since: m.At, To: to}
}

// undone is the gap of a database that has lost what was delivered; nil if it has not.
// It is told by what was written, else by what this process has seen.
func (m *Memory) undone(slot *Slot, history *timelines) *Gap {
	var why string
	var from LSN
	delivered := cmp.Or(m.Done, m.End)
	end, left := history.left(&timelines{m.Timeline, m.history})
	switch {
	case slot.Timeline < m.Timeline:
		why = fmt.Sprintf("the database is one of before: it is on timeline %d, and was on %d", slot.Timeline, m.Timeline)
		return &Gap{Slot: slot.Name, Why: why, From: m.End, Since: m.At}
	case slot.Timeline == m.Timeline && slot.Written < delivered:
		why = fmt.Sprintf("the database was restored to a moment before: its WAL ends at %s, when %s had been delivered", slot.Written, delivered)
		from = slot.Written
	case left && end < delivered:
		why = fmt.Sprintf("the database was restored to a moment before: timeline %d was left at %s, when %s had been delivered",
			m.Timeline, end, delivered)
		from = end
	case m.Own != nil && m.Own.SystemID == slot.SystemID:
		return m.Own.undone(slot, history)
	default:
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: from, Since: m.At, To: delivered, Until: m.At}
}

// checkpoint is the last one of the server; zero: not known.
type checkpoint struct {
	lsn  LSN
	time time.Time
}

// proves reports whether the slot stands where nobody was when the run had ended.
func (c checkpoint) proves(m *Memory, slot *Slot) bool {
	return c.time.After(m.Written.Add(unproven)) && c.lsn <= slot.Confirmed
}

// lastCheckpoint reads it.
func lastCheckpoint(ctx context.Context, conn *pgconn.PgConn) (c checkpoint, err error) {
	r, err := row(ctx, conn, `SELECT checkpoint_lsn, (extract(epoch FROM checkpoint_time) * 1000)::bigint FROM pg_catalog.pg_control_checkpoint()`)
	if err != nil {
		return c, fmt.Errorf("read the last checkpoint: %w", err)
	}
	if c.lsn, err = pglogrepl.ParseLSN(r[0]); err != nil {
		return c, fmt.Errorf("read the last checkpoint: %w", err)
	}
	var ms int64
	if _, err := fmt.Sscan(r[1], &ms); err != nil {
		return c, fmt.Errorf("read the last checkpoint: %w", err)
	}
	c.time = time.UnixMilli(ms)
	return c, nil
}

// Probe makes the checks of a stream's beginning on a connection of its own, and
// reads nothing: a *Fault or a *Gap is what the stream would end with. The slot is
// as found, nil where it could not be.
func Probe(ctx context.Context, o Options) (*Slot, error) {
	s := New(o)
	r, err := s.connect(ctx)
	if err != nil {
		return nil, s.refused(err)
	}
	defer r.close()
	slot, err := s.check(ctx, r.conn)
	if err != nil {
		err = s.classify(err)
	}
	return slot, err
}

// Look looks at the publication, on another connection: the server does not tell
// who reads that it has changed. It returns a *Gap if something is, or was, missing,
// that begins where the last look found all well.
func (s *Stream) Look(ctx context.Context, conn *pgconn.PgConn) error {
	memory := s.Memory()
	if memory == nil {
		return nil // not connected yet
	}
	if s.whole == nil {
		s.whole = s.connectedAt()
	}
	now, err := published(ctx, conn, s.o.Publication, s.o.Tables, memory.Publication)
	if err != nil {
		return err
	}
	if why := memory.Publication.Lost(now); why != "" {
		return &Gap{Slot: s.o.Slot, Why: why, From: s.whole.End, Since: s.whole.At}
	}
	if err := checkPublication(ctx, conn, s.o.Publication, s.o.Tables); err != nil {
		return s.whole.explain(s.o.Slot, err)
	}
	s.whole = memory
	s.mu.Lock()
	s.memory.Publication = now // what was added since may take the place of what goes next
	s.mu.Unlock()
	return nil
}

// connectedAt is the same as of the last connection, which has found all well.
func (s *Stream) connectedAt() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	memory := *s.memory
	return &memory
}

// Memory is what the stream itself has read so far; nil before its first connection.
func (s *Stream) Memory() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		return nil
	}
	memory := *s.memory
	memory.End, memory.At = s.position.ConfirmedAt()
	memory.Done = s.position.Delivered()
	return &memory
}

// Later is what is known after two streams, this one and the one before it: a server
// that remembers less of its slot has lost nothing of what was delivered.
func (m *Memory) Later(before *Memory) *Memory {
	if before != nil && before.SystemID == m.SystemID && before.Timeline == m.Timeline && before.Done > m.Done {
		later := *m
		later.Done, later.At = before.Done, before.At
		later.End = max(m.End, before.Done)
		return &later
	}
	return m
}

// explain is the Gap that an error of slot or publication means to who has read
// from them before.
func (m *Memory) explain(slot string, err error) error {
	var gap *Gap
	var fault *Fault
	switch {
	case m == nil:
		return err
	case m.Gap != nil:
		return m.Gap
	case errors.As(err, &gap):
		if gap.Since.IsZero() {
			gap.Since = m.At
		}
		return err
	case !errors.As(err, &fault):
		return err
	}
	var why string
	switch fault.Reason {
	case SlotMissing:
		why = "the slot was dropped"
	case PublicationMissing:
		why = "the publication was dropped"
	case OperationsMissing, PublicationNarrowed:
		why = fault.What
	default:
		return err
	}
	return &Gap{Slot: slot, Why: why, From: m.End, Since: m.At}
}
