package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// TestCountsCostTheirShare: counting in a project takes no more than its share of
// a core, whatever the rate of its events; what is within the share is exact; and
// numbers are never older than their query took, divided by the share.
func TestCountsCostTheirShare(t *testing.T) {
	const long = time.Minute
	for name, test := range map[string]struct {
		share   float64
		query   time.Duration // how long it takes
		every   time.Duration // an event
		exact   bool
		queries int // at least
	}{
		"small project, busy":       {share: countShare, query: time.Millisecond, every: 20 * time.Millisecond, exact: true},
		"large project, slow":       {share: countShare, query: 150 * time.Millisecond, every: 2 * time.Second, exact: true},
		"large project, busy":       {share: countShare, query: 150 * time.Millisecond, every: 20 * time.Millisecond, queries: 40},
		"very large project, busy":  {share: countShare, query: 20 * time.Second, every: 20 * time.Millisecond, queries: 1},
		"large project, no bound":   {share: 1, query: 150 * time.Millisecond, every: 20 * time.Millisecond, exact: true},
		"large project, half of it": {share: 0.05, query: 150 * time.Millisecond, every: 20 * time.Millisecond, queries: 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				db := &clock{start: start, query: test.query}
				c := newCounter(test.share)
				for at := time.Duration(0); at < long; at += test.every {
					<-time.After(time.Until(start.Add(at)))
					counted, age := db.ask(t, &c)
					if test.exact && counted < at {
						t.Fatalf("event of %s has numbers of %s", at, counted)
					}
					if oldest := time.Duration(float64(test.query) / test.share); age > oldest {
						t.Fatalf("event of %s has numbers that are %s old, more than %s", at, age, oldest)
					}
				}
				took, elapsed := time.Duration(db.queries)*test.query, time.Since(start)
				most := time.Duration(test.share*float64(elapsed+countDebt)) + test.query
				if took > most || db.queries < test.queries {
					t.Errorf("%d queries took %s of %s, want at least %d and no more than %s", db.queries, took, elapsed, test.queries, most)
				}
				<-time.After(time.Duration(float64(test.query) / test.share))
				if counted, _ := db.ask(t, &c); start.Add(counted).Before(time.Now().Add(-test.query)) {
					t.Errorf("the first event after a pause has numbers of %s", counted)
				}
			})
		})
	}
}

// clock is a database that needs its time for a query and counts the nanoseconds
// since its start.
type clock struct {
	start   time.Time
	query   time.Duration
	queries int
}

// ask returns the number that an event gets now, and how old that number was.
func (c *clock) ask(t *testing.T, counter *counter) (counted, age time.Duration) {
	t.Helper()
	now := time.Since(c.start)
	if counter.of(1).isDue(time.Now()) {
		c.answer(counter.query(1, func([]byte) {}))
	}
	text := counter.of(1).json
	var numbers struct {
		Number time.Duration `json:"task_number"`
	}
	if err := json.Unmarshal([]byte("{"+string(text)+"}"), &numbers); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return numbers.Number, now - numbers.Number
}

func (c *clock) answer(q query) {
	began := time.Now()
	number := strconv.AppendInt(nil, int64(time.Since(c.start)), 10) // its snapshot
	<-time.After(c.query)
	c.queries++
	q.reader.describe([]pgconn.FieldDescription{{Name: "task_number", DataTypeOID: pgtype.Int8OID}})
	q.row(q.reader.relation, q.reader.tuple([][]byte{number}))
	q.took(time.Since(began))
}

// TestCountsUseOneCore: the query is not spread over several, where PostgreSQL
// would like nothing better.
func TestCountsUseOneCore(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn, ctx := db.Connect(t), context.Background()
	if _, err := conn.Exec(ctx, `SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
		SET max_parallel_workers_per_gather = 4; SET enable_indexscan = off; SET enable_bitmapscan = off`); err != nil {
		t.Fatal(err)
	}
	names := Options{}.withDefaults().Tables
	columns, err := readCatalog(ctx, conn, names)
	if err != nil {
		t.Fatal(err)
	}
	c := newCounter(countShare)
	c.prepare(names, columns)
	for sql, parallel := range map[string]bool{c.sql: false, "SELECT count(*) FROM task WHERE project_id = $1": true} {
		rows, err := conn.Query(ctx, "EXPLAIN (FORMAT JSON) "+strings.ReplaceAll(sql, "$1", "1"))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectOneRow(rows, pgx.RowTo[[]byte])
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(plan, []byte("Gather")); got != parallel {
			t.Errorf("the plan is parallel: %v, want %v:\n%s", got, parallel, plan)
		}
	}
}
