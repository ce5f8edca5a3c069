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

// Memory is what is remembered of reading a stream: up to which position, of which
// server, with which publication. A Stream has its own; an earlier run has stored one, so
// that a gap that opened while nothing ran is found.
type Memory struct {
	SystemID string
	Timeline int32
	End      LSN       // everything before it was done
	Done     LSN       // end of the newest transaction before End; 0: unknown. Beyond it, End relies on what the server reported of its WAL
	At       time.Time // approximately the same by the database's clock; zero: unknown

	// Clean states that the run ended normally: nothing was confirmed beyond End.
	// Otherwise more may have been confirmed, within half of unproven after Written.
	Clean   bool
	Written time.Time // by the database's clock
	Decoded Decoded   // amount decoded for the slot at that time

	Publication Published
	Gap         *Gap // found and not yet repaired; nil: none

	// Own is the memory that this process itself has of earlier streams; nil: none. The
	// rest of a Memory is stored in the database, and goes back in time if that is
	// restored.
	Own *Memory

	history []timeline // timelines before Timeline, as read by this process
}

// unproven is the minimum time between Memory.Written and a checkpoint. A slot beyond
// such a checkpoint was not moved there by a run that was killed: unproven is twice the
// time for which such a run may still confirm (Options.MayConfirm), since checkpoints
// take a while.
//
// A recreated slot is found by the amount decoded for it. An advanced slot has no better
// proof: advancing decodes nothing that is counted, and the time of its release
// (inactive_since, since PostgreSQL 17) does not tell how long a killed run, which reads
// even while it may not confirm, had held it. Confirming only written positions would be
// proof, but they are written every 10 seconds at most: each kill -9 would cause as many
// seconds of duplicates.
const unproven = time.Minute

// gap compares an earlier run's memory with the present state; nil: nothing is missing. A
// slot that is behind is not a gap: after a crash the server remembers an earlier
// position.
func (m *Memory) gap(slot *Slot, history *timelines, last checkpoint) *Gap {
	var why string
	var to LSN
	undone := m.undone(slot, history)
	switch {
	case m.Gap != nil:
		return m.Gap
	case slot.SystemID != m.SystemID:
		why = fmt.Sprintf("this is another server (system identifier %s, not %s)", slot.SystemID, m.SystemID)
	case undone != nil:
		return undone
	case m.precedes(slot, history), slot.Confirmed > m.End && (m.Clean || m.decodedMore(slot) || last.proves(m, slot)):
		why, to = "the slot was moved or recreated by another program", slot.Confirmed
	default:
		why = m.Publication.Lost(slot.Published)
	}
	if why == "" {
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: m.End, Since: m.At, To: to}
}

// precedes reports whether the slot is beyond the end of the timeline that was read. A run
// stores the timeline that it reads before it confirms anything, so it has confirmed nothing
// on a later one: another program has made the slot there, where the WAL ended by then.
func (m *Memory) precedes(slot *Slot, history *timelines) bool {
	end, left := history.left(&timelines{m.Timeline, m.history})
	return left && slot.Confirmed > end
}

// decodedMore reports whether more was decoded for the remembered slot than for this one:
// then this is another one. A promoted standby has decoded nothing. Its statistics are its
// own, although they have the primary's beginning if it was copied from the stopped primary.
func (m *Memory) decodedMore(slot *Slot) bool {
	return m.Timeline == slot.Timeline && m.Decoded.exceeds(slot.Decoded)
}

// doneOn returns the end of what was done, 0 if it is unknown on this server. A server
// that has crashed would send again what was confirmed since its last checkpoint. The
// memory is in the same WAL, and would have been lost with what was done.
func (m *Memory) doneOn(slot *Slot) LSN {
	if m.SystemID != slot.SystemID || m.Timeline != slot.Timeline || m.End > slot.Written {
		return 0
	}
	return m.End
}

// undone returns the gap of a database that has lost delivered transactions; nil if it
// has not. It relies on the stored memory, otherwise on what this process has seen.
func (m *Memory) undone(slot *Slot, history *timelines) *Gap {
	var why string
	var from LSN
	delivered := cmp.Or(m.Done, m.End)
	end, left := history.left(&timelines{m.Timeline, m.history})
	switch {
	case slot.Timeline < m.Timeline:
		why = fmt.Sprintf("the database is an older state: it is on timeline %d, and was on %d", slot.Timeline, m.Timeline)
		return &Gap{Slot: slot.Name, Why: why, From: m.End, Since: m.At}
	case slot.Timeline == m.Timeline && slot.Written < delivered:
		why = fmt.Sprintf("the database was restored to an earlier state: its WAL ends at %s, but %s had been delivered", slot.Written, delivered)
		from = slot.Written
	case left && end < delivered:
		why = fmt.Sprintf("the database was restored to an earlier state: timeline %d ended at %s, but %s had been delivered",
			m.Timeline, end, delivered)
		from = end
	case m.Own != nil && m.Own.SystemID == slot.SystemID:
		return m.Own.undone(slot, history)
	default:
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: from, Since: m.At, To: delivered, Until: m.At}
}

// checkpoint is the server's last one; zero: unknown.
type checkpoint struct {
	lsn  LSN
	time time.Time
}

// proves reports whether the slot was at a position that did not exist when the run had
// ended.
func (c checkpoint) proves(m *Memory, slot *Slot) bool {
	return c.time.After(m.Written.Add(unproven)) && c.lsn <= slot.Confirmed
}

// lastCheckpoint reads it.
func lastCheckpoint(ctx context.Context, conn *pgconn.PgConn) (c checkpoint, err error) {
	r, err := row(ctx, conn, `SELECT checkpoint_lsn, (extract(epoch FROM checkpoint_time) * 1000)::bigint FROM pg_catalog.pg_control_checkpoint()`)
	if err == nil {
		c.lsn, err = pglogrepl.ParseLSN(r[0])
	}
	var ms int64
	if err == nil {
		_, err = fmt.Sscan(r[1], &ms)
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("read the last checkpoint: %w", err)
	}
	c.time = time.UnixMilli(ms)
	return c, nil
}

// Probe makes the initial checks of a stream on its own connection, without reading
// changes. It returns the *Fault or *Gap that the stream would end with. The slot is
// returned as found, or nil.
func Probe(ctx context.Context, o Options) (*Slot, error) {
	s := New(o)
	r, err := s.connect(ctx)
	if err != nil {
		return nil, s.refused(err)
	}
	defer r.close()
	if err := mustBePrimary(ctx, r.conn); err != nil {
		return nil, err // a standby has no slot, which is no gap
	}
	slot, err := s.check(ctx, r.conn)
	if err != nil {
		err = s.classify(err)
	}
	return slot, err
}

// Look checks the publication on another connection: the server does not tell the reader
// about changes of it. It returns a *Gap if something is or was missing since the last
// check without a finding. It ends the stream's connection if commits wait for it.
func (s *Stream) Look(ctx context.Context, conn *pgconn.PgConn) error {
	memory := s.Memory()
	if memory == nil {
		return nil // not connected yet
	}
	if err := CheckSynchronous(ctx, conn); Final(err) {
		s.Reconnect(err)
	}
	if s.whole == nil {
		s.note(func(*Stats) { s.whole = s.memory }) // the checks of the connection found nothing
	}
	now, err := inspectPublication(ctx, conn, s.o.Publication, s.o.Tables, memory.Publication)
	if err != nil {
		return err
	}
	if why := memory.Publication.Lost(now.content); why != "" {
		return &Gap{Slot: s.o.Slot, Why: why, From: s.whole.End, Since: s.whole.At}
	}
	if err := now.check(s.o.Publication, s.o.Tables); err != nil {
		return s.whole.explain(s.o.Slot, err)
	}
	s.whole = memory
	s.note(func(*Stats) {
		connected := *s.memory
		connected.Publication = now.content // tables added meanwhile may replace those removed later
		s.memory = &connected
	})
	return nil
}

// Memory returns what the stream itself has read so far; nil before its first connection.
func (s *Stream) Memory() *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.memory == nil {
		return nil
	}
	memory, read := *s.memory, s.position.progress()
	memory.End, memory.At, memory.Done = read.confirmed, read.at, read.delivered
	return &memory
}

// Later combines the memory of this stream with that of the stream before it: a server
// that remembers an earlier position of its slot has not lost anything that was
// delivered.
func (m *Memory) Later(before *Memory) *Memory {
	if before != nil && before.SystemID == m.SystemID && before.Timeline == m.Timeline && before.Done > m.Done {
		later := *m
		later.Done, later.At = before.Done, before.At
		later.End = max(m.End, before.Done)
		return &later
	}
	return m
}

// explain returns the Gap that an error of slot or publication means if they were read
// before.
func (m *Memory) explain(slot string, err error) error {
	if m == nil {
		return err
	}
	if m.Gap != nil {
		return m.Gap
	}
	if gap, ok := errors.AsType[*Gap](err); ok && gap.Since.IsZero() {
		gap.Since = m.At
	}
	fault, ok := errors.AsType[*Fault](err)
	if !ok {
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
