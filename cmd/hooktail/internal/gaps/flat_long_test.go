//go:build long

package gaps

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestRetainedWALStaysFlat has a busy other database and an idle Label Studio:
// whatever is written, the slot does not hold it back.
func TestRetainedWALStaysFlat(t *testing.T) {
	t.Parallel()
	s := newScene(t, cdctest.Private(t, throwaway.Options{}))
	busy := s.server.Database(t)
	busy.Exec(t, "CREATE TABLE bulk (x text)")
	proctest.Run(t, s.db)
	const rounds, bound = 5, 2 << 20
	begun := number(t, s.db, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint")
	for range rounds {
		busy.Exec(t, "INSERT INTO bulk SELECT repeat(md5(n::text), 30) FROM generate_series(1, 8000) n")
		busy.Exec(t, "CHECKPOINT") // lets the server move a slot's restart_lsn, as it does every 15 s
		proctest.WaitFor(t, func() error {
			retained := number(t, s.db, `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
				FROM pg_replication_slots WHERE slot_name = $1`, s.db.Name)
			if retained > bound {
				return fmt.Errorf("the slot retains %d bytes", retained)
			}
			return nil
		})
	}
	if written := number(t, s.db, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint") - begun; written < rounds*bound {
		t.Errorf("only %d bytes were written: the test has shown nothing", written)
	}
}

func number(t *testing.T, db *cdctest.Database, sql string, args ...any) int64 {
	t.Helper()
	n, err := strconv.ParseInt(db.QueryText(t, sql, args...), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
