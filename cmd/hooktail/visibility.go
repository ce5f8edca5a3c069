package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// awaitVisible returns when queries see the transactions. A commit is in the
// stream as soon as its record is in the WAL; the server shows its rows to others
// a moment later, and only then answers who committed: with synchronous
// replication when a standby has confirmed it. Read before that, a payload would
// lack what it is about, and a receiver that asks back would not find it.
func awaitVisible(ctx context.Context, db mapping.Querier, xids []uint32) error {
	const first, longest = time.Millisecond, 100 * time.Millisecond
	for wait := first; ; wait = min(2*wait, longest) {
		s, err := currentSnapshot(ctx, db)
		if err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		if xids = s.hidden(xids); len(xids) == 0 {
			return nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
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

func currentSnapshot(ctx context.Context, db mapping.Querier) (snapshot, error) {
	rows, err := db.Query(ctx, "SELECT pg_catalog.pg_current_snapshot()::text", pgx.QueryExecModeExec)
	if err != nil {
		return snapshot{}, err
	}
	text, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[string])
	if err != nil {
		return snapshot{}, err
	}
	return parseSnapshot(text)
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
