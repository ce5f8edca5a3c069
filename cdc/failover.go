package cdc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Diverged is the error of a stream that has read, but not finished, what its server
// does not have: a standby was promoted that lacked the end of the log, or the server
// came back with less of it. LSNs from there on are given again, to other
// transactions, so nothing that this stream remembers of them holds.
//
// Nothing is missing: a new stream begins where the slot stands.
type Diverged struct {
	Slot     string
	Timeline int32     // of the server now
	End      LSN       // what was read up to here is in the server's log
	Read     LSN       // newest LSN that was read; the server never had what lies between
	Until    time.Time // commit of the newest transaction that is outstanding, by the clock of the database; zero: none is
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("the server, on timeline %d, never had what was read of slot %q after %s and up to %s: begin again where the slot stands",
		d.Timeline, d.Slot, d.End, at(d.Read, d.Until))
}

func isDiverged(err error) bool {
	var diverged *Diverged
	return errors.As(err, &diverged)
}

// neverHad is the warning of a Diverged.
const neverHad = "the server never had transactions that were read before: receivers may have got events of them that the database does not know"

// diverged compares what this stream has read with the server that it is connected to
// now. It returns nil where the server has all of it, and on a first connection.
func (s *Stream) diverged(ctx context.Context, slot *Slot, memory *Memory) error {
	if memory == nil || memory.SystemID != slot.SystemID {
		return nil
	}
	end, moved := s.assembler.timelines.left(&timelines{memory.Timeline, memory.history})
	switch {
	case moved:
	case slot.Timeline != memory.Timeline:
		end = 0 // where, nobody can say
	default:
		end = slot.Written
	}
	confirmed, newest := s.position.Confirmed(), s.assembler.newest()
	if confirmed <= end && (newest == 0 || newest < end) { // the one is where a record ends, the other where one begins
		return nil
	}
	s.position.freeze()
	d := &Diverged{Slot: s.o.Slot, Timeline: slot.Timeline, End: end, Read: max(confirmed, newest), Until: s.position.newest()}
	s.o.Log.LogAttrs(ctx, slog.LevelWarn, neverHad, slog.String("slot", d.Slot), slog.Any("after", d.End), slog.Any("until", d.Read),
		slog.Int("outstanding", s.position.Outstanding()), slog.Int("timeline", int(d.Timeline)))
	return d
}

// newest is the commit record of the newest transaction that was handed over, if only
// in part.
func (a *assembler) newest() LSN {
	if a.torn != nil {
		return max(a.handed, a.torn.commit)
	}
	return a.handed
}

// TimelineQuery is the SQL of the server's present timeline: the last checkpoint may
// still be of the one before. A server in recovery refuses it.
const TimelineQuery = `('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::integer`
