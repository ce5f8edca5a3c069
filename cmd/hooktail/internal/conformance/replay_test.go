package conformance

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

func TestMain(m *testing.M) { os.Exit(cdctest.Main(m)) }

// TestCallsMakeTheRecordedChanges plays the scenarios call by call: each call's
// statements make the row changes that wal.txt has for that call. So statements
// and row changes are divided at the same places.
func TestCallsMakeTheRecordedChanges(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn := db.Connect(t)
	const slot = "conformance_replay"
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", slot)
	run := func(statement string) {
		t.Helper()
		if _, err := conn.PgConn().Exec(t.Context(), statement).ReadAll(); err != nil {
			t.Fatalf("run %.200q: %v", statement, err)
		}
	}
	run("SET synchronous_commit = on") // what is not flushed is not decoded
	changes := func() [][]RowChange {
		text := db.QueryText(t, `SELECT string_agg(data, E'\n') FROM pg_logical_slot_get_changes($1, NULL, NULL, 'include-xids', '0', 'skip-empty-xacts', '1')`, slot)
		txs, err := ParseWAL(text)
		if err != nil {
			t.Fatal(err)
		}
		return txs
	}
	for _, s := range load(t) {
		calls, err := s.Calls()
		if err != nil {
			t.Fatal(err)
		}
		txs, err := ParseWAL(s.WAL)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := byCall(s.Name, txs, changesAt)
		if err != nil {
			t.Fatal(err)
		}
		if len(recorded) != len(calls) {
			t.Errorf("%s: %d calls in wal.txt, %d in changes.sql", s.Name, len(recorded), len(calls))
			continue
		}
		for i, call := range calls {
			for _, statement := range call {
				run(statement)
			}
			if diff := cmp.Diff(unordered(recorded[i]), unordered(changes())); diff != "" {
				t.Errorf("%s: call %d (-recorded +played):\n%.2000s", s.Name, i, diff)
			}
		}
	}
}

// unordered is each transaction as its sorted changes: one statement visits its
// rows in no fixed order.
func unordered(txs [][]RowChange) []string {
	var all []string
	for _, tx := range txs {
		var changes []string
		for _, c := range tx {
			changes = append(changes, fmt.Sprint(c))
		}
		slices.Sort(changes)
		all = append(all, strings.Join(changes, "\n"))
	}
	return all
}
