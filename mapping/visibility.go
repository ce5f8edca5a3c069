package mapping

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// visibility knows which transactions queries see.
//
// A commit is in the stream as soon as its record is in the WAL; the server shows
// its rows to others a moment later, and only then answers who committed: with
// synchronous replication when a standby has confirmed it. Read before that, a
// payload would lack what it is about, and a receiver that asks back would not
// find it.
type visibility struct {
	reader reader
	latest snapshot
	at     time.Time // of latest; zero: there is none
	fault  error     // latest could not be read
}

// rememberedFor is how long a snapshot is known to be from the present era of
// transaction ids, of which there are 2^31.
const rememberedFor = time.Minute

// hidden are those of the transactions that are not known to be seen. What was seen
// once is seen for good.
func (v *visibility) hidden(xids []uint32) []uint32 {
	if len(xids) == 0 || v.at.IsZero() || time.Since(v.at) > rememberedFor {
		return xids
	}
	return v.latest.hidden(xids)
}

// query asks for the present snapshot. Whatever is read after it sees what it sees.
func (v *visibility) query() query {
	return query{sql: "SELECT pg_catalog.pg_current_snapshot()::text", reader: &v.reader, tellsSnapshot: true, row: func(_ *cdc.Relation, row cdc.Tuple) {
		v.note(row.Text(0))
	}}
}

// snapshotColumn is the name of the snapshot among the columns of a query.
const snapshotColumn = "hooktail_snapshot"

// note takes note of the present snapshot.
func (v *visibility) note(text []byte) {
	v.latest, v.fault = parseSnapshot(string(text))
	v.at = time.Now()
}

// await returns when queries see the transactions.
func (v *visibility) await(ctx context.Context, db Database, xids []uint32) error {
	const first, longest = 200 * time.Microsecond, 100 * time.Millisecond
	for wait := first; ; wait = min(2*wait, longest) {
		if xids = v.hidden(xids); len(xids) == 0 {
			return nil
		}
		if !v.at.IsZero() {
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return ctx.Err()
			case <-timer.C:
			}
		}
		if err := ask(ctx, db, []query{v.query()}); err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		if v.fault != nil {
			return v.fault
		}
	}
}

// snapshot is which transactions a query sees: all before xmin, none from xmax
// on, and between them those that are not running.
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS
type snapshot struct {
	xmin, xmax uint32
	running    []uint32
}

// parseSnapshot reads "xmin:xmax:running,…". The numbers have 64 bits; those of
// the stream are their lower halves.
func parseSnapshot(text string) (snapshot, error) {
	var xids []uint32
	for _, number := range strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == ',' }) {
		xid, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return snapshot{}, fmt.Errorf("parse snapshot %q: %w", text, err)
		}
		xids = append(xids, uint32(xid))
	}
	if len(xids) < 2 {
		return snapshot{}, fmt.Errorf("parse snapshot %q: it has no bounds", text)
	}
	return snapshot{xmin: xids[0], xmax: xids[1], running: xids[2:]}, nil
}

// hidden are those of the transactions that the snapshot does not see. They are
// compared modulo 2^32, as the server does.
func (s snapshot) hidden(xids []uint32) []uint32 {
	var hidden []uint32
	for _, xid := range xids {
		if before(xid, s.xmin) {
			continue
		}
		if !before(xid, s.xmax) || slices.Contains(s.running, xid) {
			hidden = append(hidden, xid)
		}
	}
	return hidden
}

func before(a, b uint32) bool { return int32(a-b) < 0 }
