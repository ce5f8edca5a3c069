package cdc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
}

// Published is which tables a publication has, by the identities that the catalog
// gives to the publication (under the empty name) and to each table's place in it: what is
// taken out and put back has another one.
type Published map[string]string

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

// gap compares what an earlier run has left with what is found now; nil: nothing is
// missing. A slot that is behind is no gap: a server that crashed remembers an
// earlier position.
func (p *Past) gap(slot *Slot, history *timelines, last checkpoint) *Gap {
	var why string
	var to LSN
	from, undone := p.undone(slot, history)
	switch {
	case p.Gap != nil:
		return p.Gap
	case slot.SystemID != p.SystemID:
		why = fmt.Sprintf("the server is another one (system identifier %s, not %s)", slot.SystemID, p.SystemID)
	case undone != "":
		why = undone
	case slot.Confirmed > p.End && (p.Clean || p.Decoded.exceeds(slot.Decoded) || last.proves(p, slot)):
		why, to = "the slot was moved or made anew by someone else", slot.Confirmed
	default:
		why = p.Publication.Lost(slot.Published)
	}
	if why == "" {
		return nil
	}
	return &Gap{Slot: slot.Name, Why: why, From: from.End, Since: from.At, To: to}
}

// undone says how the database has lost what was delivered, "" if it has not, and
// what is known of it: by what was written, else by what this process has seen.
func (p *Past) undone(slot *Slot, history *timelines) (of *Past, why string) {
	end, left := history.end(p.Timeline)
	switch {
	case slot.Timeline < p.Timeline:
		why = fmt.Sprintf("the database is one of before: it is on timeline %d, and was on %d", slot.Timeline, p.Timeline)
	case slot.Timeline == p.Timeline && slot.Written < p.End:
		why = fmt.Sprintf("the database was restored to a moment before: its WAL ends at %s, when %s had been delivered", slot.Written, p.End)
	case left && end < p.End:
		why = fmt.Sprintf("the database was restored to a moment before: timeline %d was left at %s, when %s had been delivered",
			p.Timeline, end, p.End)
	case p.Seen != nil && p.Seen.SystemID == slot.SystemID:
		if seen, why := p.Seen.undone(slot, history); why != "" {
			return seen, why
		}
	}
	return p, why
}

// Lost says what has gone, in words, or has been away; "" if nothing has.
func (p Published) Lost(now Published) (why string) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		id, there := now[name]
		switch {
		case id == p[name]:
			continue
		case name == "" && !there:
			why = "the publication was dropped"
		case name == "":
			why = "the publication was dropped and made anew"
		case !there:
			why = fmt.Sprintf("table %s was taken out of the publication", name)
		default:
			why = fmt.Sprintf("table %s was taken out of the publication and put back", name)
		}
		return why
	}
	return ""
}

// published reads which of the tables the publication has.
func published(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table) (Published, error) {
	found, err := rows(ctx, conn, `SELECT '', p.oid::text FROM pg_catalog.pg_publication p WHERE p.pubname = `+quoteText(name)+`
		UNION ALL
		SELECT n.nspname || '.' || c.relname, r.oid || '/' || r.prrelid FROM pg_catalog.pg_publication p
		JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = `+quoteText(name))
	if err != nil {
		return nil, fmt.Errorf("read publication %q: %w", name, err)
	}
	all := make(Published, len(found))
	for _, r := range found {
		if r[0] == "" || slices.ContainsFunc(tables, func(t Table) bool { return t.String() == r[0] }) {
			all[r[0]] = r[1]
		}
	}
	return all, nil
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
	now, err := published(ctx, conn, s.o.Publication, s.o.Tables)
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
	return &past
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
	case OperationsMissing:
		why = fault.What
	default:
		return err
	}
	return &Gap{Slot: slot, Why: why, From: p.End, Since: p.At}
}
