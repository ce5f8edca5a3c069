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

// Past is what an earlier run has left written of the stream: the memory by which
// a gap that opened while nothing ran is found.
type Past struct {
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

	// Seen is what this process itself has read of the server before; nil: nothing. The
	// rest of Past is kept in the database, and goes back with it when it is restored.
	Seen *Past

	history []timeline // before Timeline, where this process has read it
}

// unproven is how long after Past.Written a checkpoint has to have been made to prove
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

func (p *Past) published() Published {
	if p == nil {
		return nil
	}
	return p.Publication
}

// gap compares what an earlier run has left with what is found now; nil: nothing is
// missing. A slot that is behind is no gap: a server that crashed remembers an
// earlier position.
func (p *Past) gap(slot *Slot, history *timelines, last checkpoint) *Gap {
	var why string
	var to LSN
	undone := p.undone(slot, history)
	switch {
	case p.Gap != nil:
		return p.Gap
	case slot.SystemID != p.SystemID:
		why = fmt.Sprintf("the server is another one (system identifier %s, not %s)", slot.SystemID, p.SystemID)
	case undone != nil:
		return undone
	case slot.Confirmed > p.End && (p.Clean || p.Decoded.exceeds(slot.Decoded) || last.proves(p, slot)):
		why, to = "the slot was moved or made anew by someone else", slot.Confirmed
	default:
		why = p.Publication.Lost(slot.Published)
	}
	if why == "" {
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: p.End, Since: p.At, To: to}
}

// undone is the gap of a database that has lost what was delivered; nil if it has not.
// It is told by what was written, else by what this process has seen.
func (p *Past) undone(slot *Slot, history *timelines) *Gap {
	var why string
	var from LSN
	delivered := cmp.Or(p.Done, p.End)
	end, left := history.left(&timelines{p.Timeline, p.history})
	switch {
	case slot.Timeline < p.Timeline:
		why = fmt.Sprintf("the database is one of before: it is on timeline %d, and was on %d", slot.Timeline, p.Timeline)
		return &Gap{Slot: slot.Name, Why: why, From: p.End, Since: p.At}
	case slot.Timeline == p.Timeline && slot.Written < delivered:
		why = fmt.Sprintf("the database was restored to a moment before: its WAL ends at %s, when %s had been delivered", slot.Written, delivered)
		from = slot.Written
	case left && end < delivered:
		why = fmt.Sprintf("the database was restored to a moment before: timeline %d was left at %s, when %s had been delivered",
			p.Timeline, end, delivered)
		from = end
	case p.Seen != nil && p.Seen.SystemID == slot.SystemID:
		return p.Seen.undone(slot, history)
	default:
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: from, Since: p.At, To: delivered, Until: p.At}
}

// checkpoint is the last one of the server; zero: not known.
type checkpoint struct {
	lsn  LSN
	time time.Time
}

// proves reports whether the slot stands where nobody was when the run had ended.
func (c checkpoint) proves(p *Past, slot *Slot) bool {
	return c.time.After(p.Written.Add(unproven)) && c.lsn <= slot.Confirmed
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
	past := s.Left()
	if past == nil {
		return nil // not connected yet
	}
	if s.looked == nil {
		s.looked = s.connectedAt()
	}
	now, err := published(ctx, conn, s.o.Publication, s.o.Tables, past.Publication)
	if err != nil {
		return err
	}
	if why := past.Publication.Lost(now); why != "" {
		return &Gap{Slot: s.o.Slot, Why: why, From: s.looked.End, Since: s.looked.At}
	}
	if err := checkPublication(ctx, conn, s.o.Publication, s.o.Tables); err != nil {
		return s.looked.explain(s.o.Slot, err)
	}
	s.looked = past
	s.mu.Lock()
	s.left.Publication = now // what was added since may take the place of what goes next
	s.mu.Unlock()
	return nil
}

// connectedAt is the same as of the last connection, which has found all well.
func (s *Stream) connectedAt() *Past {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := *s.left
	return &past
}

// Left is what the stream itself has read so far; nil before its first connection.
func (s *Stream) Left() *Past {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		return nil
	}
	past := *s.left
	past.End, past.At = s.position.ConfirmedAt()
	past.Done = s.position.Delivered()
	return &past
}

// Later is what is known after two streams, this one and the one before it: a server
// that remembers less of its slot has lost nothing of what was delivered.
func (p *Past) Later(before *Past) *Past {
	if before != nil && before.SystemID == p.SystemID && before.Timeline == p.Timeline && before.Done > p.Done {
		later := *p
		later.Done, later.At = before.Done, before.At
		later.End = max(p.End, before.Done)
		return &later
	}
	return p
}

// explain is the Gap that an error of slot or publication means to who has read
// from them before.
func (p *Past) explain(slot string, err error) error {
	var gap *Gap
	var fault *Fault
	switch {
	case p == nil:
		return err
	case p.Gap != nil:
		return p.Gap
	case errors.As(err, &gap):
		if gap.Since.IsZero() {
			gap.Since = p.At
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
	return &Gap{Slot: slot, Why: why, From: p.End, Since: p.At}
}
