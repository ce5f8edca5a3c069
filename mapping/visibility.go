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

// visibility tracks which transactions queries see.
//
// A commit is in the stream as soon as its record is in the WAL. Its rows become visible
// to others a moment later, with synchronous replication only after a standby has
// confirmed the commit. A payload read before that would lack its own subject, and a
// receiver that queries Label Studio would not find it.
type visibility struct {
	reader reader
	wanted bool // a query is to tell the snapshot; those after it see as much
	latest snapshot
	at     time.Time // time of latest; zero: none
	fault  error     // error of reading latest
}

// rememberedFor bounds the age of a snapshot, so that transaction ids, of which there are
// 2^31, are compared within one cycle.
const rememberedFor = time.Minute

// hidden returns the transactions not known to be visible. A transaction remains visible
// once it is.
func (v *visibility) hidden(xids []uint32) []uint32 {
	if len(xids) == 0 || v.at.IsZero() || time.Since(v.at) > rememberedFor {
		return xids
	}
	return v.latest.hidden(xids)
}

// query reads the present snapshot. Later queries see at least as much.
func (v *visibility) query() query {
	v.wanted = true
	return query{sql: "SELECT pg_catalog.pg_current_snapshot()::text", reader: &v.reader, row: func(_ *cdc.Relation, row cdc.Tuple) {
		v.note(row.Text(0))
	}}
}

// snapshotColumn is the name of the column with the snapshot.
const snapshotColumn = "hooktail_snapshot"

// note stores the snapshot of the first query that tells it, if it is wanted.
func (v *visibility) note(text []byte) {
	if v.wanted && text != nil {
		v.latest, v.fault = parseSnapshot(string(text))
		v.at, v.wanted = time.Now(), false
	}
}

// await returns when queries see the transactions.
func (v *visibility) await(ctx context.Context, db Database, xids []uint32) error {
	const first, longest = 200 * time.Microsecond, 100 * time.Millisecond
	for wait := first; ; wait = min(2*wait, longest) {
		if xids = v.hidden(xids); len(xids) == 0 {
			return nil
		}
		if !v.at.IsZero() {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
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

// snapshot defines the transactions that a query sees: all before xmin, none from xmax
// on, and between them those not running.
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

// hidden returns the transactions that the snapshot does not see. Ids are compared modulo
// 2^32, as the server does.
func (s snapshot) hidden(xids []uint32) []uint32 {
	var hidden []uint32
	for _, xid := range xids {
		if !before(xid, s.xmin) && (!before(xid, s.xmax) || slices.Contains(s.running, xid)) {
			hidden = append(hidden, xid)
		}
	}
	return hidden
}

func before(a, b uint32) bool { return int32(a-b) < 0 }
