package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

var seed = flag.Uint64("seed", 0, "repeat a test of random rows or transactions; 0: another one each time")

// The good rows, which nobody else writes to: hook 10 is told of everything in
// organization 2, whose project 4 has the task.
const (
	goodHook    = 10
	goodProject = 4
)

// TestNoRowStopsUs: whatever is written into the application's five tables, as long as the
// columns' types allow it, while hooktail runs and while it does not, it goes on, and the
// next good event arrives with the right body.
func TestNoRowStopsUs(t *testing.T) {
	t.Parallel()
	const rounds, starts, perRound = 20, 4, 12
	from := *seed
	if from == 0 {
		from = uint64(rand.Uint32())
	}
	t.Logf("repeat with -run '%s$' -seed=%d", t.Name(), from)
	g := newGood(t)
	h := newHostile(t, g.db)
	write := func(round int) (written []string) {
		for n := range perRound {
			written = append(written, h.write(t, int(from)+round*perRound+n))
		}
		return written
	}
	p := g.start(t)
	for round := range rounds {
		written := write(round)
		g.event(t, p, written)
	}
	for round := range starts {
		p.end(t)
		written := write(rounds + round)
		p = g.start(t)
		g.event(t, p, written)
	}
	if all := (rounds + starts) * perRound; h.written < all/3 { // about half of what is random is refused
		t.Errorf("the server refused all but %d of %d statements", h.written, all)
	}
}

// good is a database with good rows, and a receiver that knows the right body.
type good struct {
	db         *cdctest.Database
	inbox      *conformance.Collector
	annotation string
	events     int
	want       string // body; "": not known yet
}

func newGood(t *testing.T) *good {
	t.Helper()
	g := &good{db: cdctest.Postgres(t).LabelStudio(t), inbox: &conformance.Collector{}}
	point(t, g.db, g.inbox)
	task := g.db.QueryText(t, "SELECT min(id) FROM task WHERE project_id = $1", goodProject)
	g.annotation = g.db.QueryText(t, annotate, task)
	setUpOnce(t, g.db)
	return g
}

// start runs the program, which may send to this machine alone: rows hold any URL.
func (g *good) start(t *testing.T) *program {
	t.Helper()
	return start(t, g.db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_EGRESS=127.0.0.0/8")
}

// event is committed, and has to arrive with a body like all others.
func (g *good) event(t *testing.T, p *program, after []string) {
	t.Helper()
	g.events++
	g.db.Exec(t, "UPDATE task_completion SET lead_time = $2, updated_at = updated_at + interval '1 second' WHERE id = $1", g.annotation, g.events)
	var body string
	proctest.WaitFor(t, func() error {
		select {
		case <-p.ended:
			t.Fatalf("hooktail has ended with exit code %d after\n%s\n%s", p.code, strings.Join(after, "\n"), p.err)
		default:
		}
		for _, r := range g.inbox.Take() {
			if lead, rest := split(t, r.Body); r.Hook == goodHook && r.Action == "ANNOTATION_UPDATED" && lead == g.events {
				body = rest
			}
		}
		if body == "" {
			return fmt.Errorf("event %d has not arrived after\n%s\n%s", g.events, strings.Join(after, "\n"), endOf(p.err.String()))
		}
		return nil
	})
	if g.want == "" {
		g.want = body
	}
	if diff := cmp.Diff(g.want, body); diff != "" {
		t.Errorf("the body of event %d (-want +got):\n%s\nafter\n%s", g.events, diff, strings.Join(after, "\n"))
	}
}

// split is the annotation's lead_time, and the body without what is another one in each event.
func split(t *testing.T, body json.RawMessage) (lead int, rest string) {
	t.Helper()
	var members map[string]json.RawMessage
	var annotation map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Fatalf("parse body: %v", err)
	}
	if members["annotation"] == nil {
		return 0, ""
	}
	if err := json.Unmarshal(members["annotation"], &annotation); err != nil {
		t.Fatalf("parse annotation: %v", err)
	}
	number, err := strconv.ParseFloat(string(annotation["lead_time"]), 64)
	if err != nil {
		return 0, ""
	}
	delete(annotation, "lead_time")
	delete(annotation, "updated_at")
	if members["annotation"], err = json.Marshal(annotation); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(members, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return int(number), string(text)
}

// endOf is the end of the log.
func endOf(log string) string { return log[max(0, len(log)-2000):] }

// hostileWriter writes rows that nobody expects.
type hostileWriter struct {
	conn    *pgx.Conn
	tables  []hostileTable
	written int // statements that the server did not refuse
}

type hostileTable struct {
	name, good string // condition of the rows that are left alone
	columns    []hostileColumn
}

type hostileColumn struct {
	name, kind string // type without its length
	length     int    // of text; 0: without bound
}

// newHostile takes away whatever keeps rows from being odd: keys to other tables, checks, and
// that a value must not be null.
func newHostile(t *testing.T, db *cdctest.Database) *hostileWriter {
	t.Helper()
	h := &hostileWriter{conn: db.Connect(t), tables: []hostileTable{
		{name: "webhook", good: fmt.Sprintf("id = %d", goodHook)},
		{name: "webhook_action", good: fmt.Sprintf("webhook_id = %d", goodHook)},
		{name: "project", good: fmt.Sprintf("id = %d", goodProject)},
		{name: "task", good: fmt.Sprintf("project_id = %d", goodProject)},
		{name: "task_completion", good: fmt.Sprintf("project_id = %d", goodProject)},
	}}
	for i := range h.tables {
		table := &h.tables[i]
		db.Exec(t, fmt.Sprintf(`DO $$ DECLARE c name; BEGIN
			FOR c IN SELECT conname FROM pg_constraint WHERE contype IN ('f', 'c') AND (conrelid = '%[1]s'::regclass OR confrelid = '%[1]s'::regclass) AND conrelid = '%[1]s'::regclass
				LOOP EXECUTE format('ALTER TABLE %[1]s DROP CONSTRAINT %%I', c); END LOOP;
			FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = '%[1]s'::regclass AND attnum > 0 AND attnotnull AND attname <> 'id'
				LOOP EXECUTE format('ALTER TABLE %[1]s ALTER COLUMN %%I DROP NOT NULL', c); END LOOP;
		END $$`, table.name))
		rows, err := h.conn.Query(context.Background(), `SELECT attname::text, atttypid::regtype::text, CASE WHEN atttypid = 'varchar'::regtype THEN greatest(atttypmod - 4, 0) ELSE 0 END
			FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`, table.name)
		if err != nil {
			t.Fatal(err)
		}
		table.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c hostileColumn, err error) {
			err = row.Scan(&c.name, &c.kind, &c.length)
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// write makes the row that follows from the number, and returns the statement. The server
// may refuse it.
func (h *hostileWriter) write(t *testing.T, number int) string {
	t.Helper()
	var args []any
	sql := rapid.Custom(func(r *rapid.T) string {
		args = nil
		table := rapid.SampledFrom(h.tables).Draw(r, "table")
		var names, values, assignments []string
		for _, column := range table.columns {
			if column.name != "id" && rapid.IntRange(0, 2).Draw(r, column.name+" is odd") > 0 {
				continue
			}
			args = append(args, column.value().Draw(r, column.name))
			name, value := pgx.Identifier{column.name}.Sanitize(), fmt.Sprintf("$%d::text::%s", len(args), column.kind)
			names, values, assignments = append(names, name), append(values, value), append(assignments, name+" = "+value)
		}
		others := fmt.Sprintf("SELECT id FROM %s WHERE (%s) IS NOT TRUE ORDER BY random() LIMIT 1", table.name, table.good)
		switch rapid.IntRange(0, 5).Draw(r, "kind") {
		case 0, 1:
			return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table.name, strings.Join(names, ", "), strings.Join(values, ", "))
		case 2:
			args = nil
			return fmt.Sprintf("DELETE FROM %s WHERE id = (%s)", table.name, others)
		case 3:
			return fmt.Sprintf("UPDATE %s SET %s WHERE id = (%s)", table.name, strings.Join(assignments, ", "), others)
		default: // the id stays
			args[0] = nil
			assignments[0] = "id = coalesce($1::text::integer, id)"
			return fmt.Sprintf("UPDATE %s SET %s WHERE id = (%s)", table.name, strings.Join(assignments, ", "), others)
		}
	}).Example(number)
	_, err := h.conn.Exec(context.Background(), sql, args...)
	if err != nil && h.conn.IsClosed() {
		t.Fatalf("%s: %v", sql, err)
	}
	if err == nil {
		h.written++
	}
	return fmt.Sprintf("%s %.200q: %v", sql, textsOf(args), err)
}

func textsOf(args []any) (texts []string) {
	for _, arg := range args {
		text := "NULL"
		if s, ok := arg.(*string); ok && s != nil {
			text = *s
		}
		texts = append(texts, text)
	}
	return texts
}

// value is any text of the column's type, and nil for null. No number is that of a good row.
func (c hostileColumn) value() *rapid.Generator[*string] {
	some := func(texts ...string) *rapid.Generator[string] { return rapid.SampledFrom(texts) }
	var values *rapid.Generator[string]
	switch c.kind {
	case "integer":
		values = some("-2147483648", "-1", "0", "1", "3", "999999", "2147483647")
	case "bigint":
		values = some("-9223372036854775808", "-1", "0", "1", "9007199254740993", "9223372036854775807")
	case "boolean":
		values = some("t", "f")
	case "double precision":
		values = some("NaN", "Infinity", "-Infinity", "1e308", "-0", "5e-324", "0.1")
	case "timestamp with time zone":
		values = some("infinity", "-infinity", "4713-01-01 BC", "0044-03-15 12:00:00 BC", "0001-01-01", "1883-11-18 12:03:57", "294276-12-31 23:59:59.999999", "20000-01-01", "2026-11-23 09:37:58.5")
	case "uuid":
		values = some("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
	case "jsonb":
		values = rapid.OneOf(some(`null`, `[]`, `{}`, `""`, `0`, `-1e400`, `{"Host": "x"}`, `{"A": {"B": [1]}}`, `["hush"]`, `"\u2028\u0085"`, `{"": null}`, `123456789012345678901234567890.12345678901234567890`,
			`{"A": "`+strings.Repeat("x", 9000)+`"}`, strings.Repeat("[", 500)+strings.Repeat("]", 500)), rapid.Custom(func(t *rapid.T) string {
			text, _ := json.Marshal(map[string]string{rapid.String().Draw(t, "key"): rapid.String().Draw(t, "value")})
			return string(text)
		}))
	default:
		values = rapid.OneOf(some("", "http://127.0.0.1:1/", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.0.0.1:1/"+strings.Repeat("x", 1900), "TASK_CREATED", "\u202e\u0085\u009b", "\x1b[2J", "'; DROP TABLE webhook; --"), rapid.String())
	}
	return rapid.Custom(func(t *rapid.T) *string {
		if c.name != "id" && rapid.IntRange(0, 5).Draw(t, "null") == 0 {
			return nil
		}
		text := strings.ReplaceAll(values.Draw(t, "value"), "\x00", "") // which no text has
		if runes := []rune(text); c.length > 0 && len(runes) > c.length {
			text = string(runes[:c.length])
		}
		return &text
	})
}
