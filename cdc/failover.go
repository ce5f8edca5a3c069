package cdc

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Diverged is the error of a stream that has read, but not finished, transactions that
// its server does not have: a promoted standby lacked the end of the WAL, or the server
// lost it in a crash. The server assigns the LSNs from there on again, to other
// transactions, so the stream's memory of them is invalid.
//
// No change is missing: a new stream begins at the slot's position.
type Diverged struct {
	Slot     string
	Timeline int32     // present timeline of the server
	End      LSN       // the server's WAL contains what was read up to here
	Read     LSN       // newest LSN read; the server does not have what lies between
	Until    time.Time // commit of the newest outstanding transaction, by the database's clock; zero: none
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("the server, on timeline %d, does not have what was read from slot %q between %s and %s: beginning again at the slot's position",
		d.Timeline, d.Slot, d.End, at(d.Read, d.Until))
}

// neverHad is the warning logged for a Diverged.
const neverHad = "the server does not have transactions that were read earlier: receivers may have got events that the database does not know"

// diverged compares what this stream has read with the WAL of the present server. It
// returns nil if the server has all of it, and for a first connection.
func (s *Stream) diverged(ctx context.Context, slot *Slot, memory *Memory) error {
	if memory == nil || memory.SystemID != slot.SystemID {
		return nil
	}
	end, _ := s.assembler.timelines.left(&timelines{memory.Timeline, memory.history}) // 0 if unknown
	if slot.Timeline == memory.Timeline {
		end = slot.Written
	}
	read, newest := s.position.progress(), s.assembler.handed // the commit record, also of one handed over in part
	if torn := s.assembler.torn; torn != nil {
		newest = max(newest, torn.commit)
	}
	if read.confirmed <= end && (newest == 0 || newest < end) { // one is the end of a record, the other a beginning
		return nil
	}
	s.position.freeze()
	d := &Diverged{Slot: s.o.Slot, Timeline: slot.Timeline, End: end, Read: max(read.confirmed, newest), Until: read.newest}
	s.o.Log.LogAttrs(ctx, slog.LevelWarn, neverHad, slog.String("slot", d.Slot), slog.Any("after", d.End), slog.Any("until", d.Read),
		slog.Int("outstanding", read.outstanding), slog.Int("timeline", int(d.Timeline)))
	return d
}

// TimelineQuery is the SQL expression for the server's present timeline: the last
// checkpoint may still belong to the previous one. A server in recovery refuses it.
const TimelineQuery = `('x' || left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8))::bit(32)::integer`
