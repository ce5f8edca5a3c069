package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
)

// values that column types allow, by type.
var hostileValues = []struct{ kind, value string }{
	{"timestamptz", "'infinity'"},
	{"timestamptz", "'-infinity'"},
	{"timestamptz", "'0044-03-15 12:00+00 BC'"},
	{"timestamptz", "'294276-12-31 23:59:59.999999+00'"},
	{"timestamptz", "'0001-01-01 00:30:00+01'"},
	{"timestamptz", "'9999-12-31 23:59:59.5-01'"},
	{"timestamptz", "'10000-01-01 00:00+00'"},
	{"timestamp", "'infinity'"},
	{"date", "'4713-01-01 BC'"},
	{"time", "'24:00:00'"},
	{"timetz", "'12:00:00.5-03:30'"},
	{"interval", "'-178000000 years'"},
	{"float8", "'NaN'"},
	{"float8", "'-Infinity'"},
	{"float8", "'-0'"},
	{"float8", "1e308"},
	{"float4", "1e-45"},
	{"numeric", "'NaN'"},
	{"numeric", "1e131071"},
	{"numeric", "-1e-16383"},
	{"numeric(10,4)", "12.5000"},
	{"int8", "9223372036854775807"},
	{"int8", "-9223372036854775808"},
	{"int2", "-32768"},
	{"oid", "4294967295"},
	{"bool", "NULL"},
	{"bool", "false"},
	{"text", `E'\x01\x1f"\\/\n\r\t\u007f\u2028\U0001F600'`},
	{"text", "''"},
	{"char(5)", "'a'"},
	{`"char"`, `E'\\'`},
	{"name", "'n'"},
	{"json", `'{"a" : [1e999, "\u0000", "\ud83d\ude00"], "a": 2}'`},
	{"json", `'"\ud800"'`},
	{"json", "' 1 '"},
	{"jsonb", `'{"a": [1e400, -0.0, null]}'`},
	{"jsonb", `'"text"'`},
	{"jsonb", "'null'"},
	{"bytea", `'\xff00'`},
	{"uuid", "'1cdd8947-ab33-460e-aefd-6d373843ed4d'"},
	{"inet", "'::1/128'"},
	{"macaddr", "'08:00:2b:01:02:03'"},
	{"bit(3)", "B'101'"},
	{"varbit", "B''"},
	{"money", "'-12.34'"},
	{"point", "'(NaN,1)'"},
	{"polygon", "'((0,0),(1,1))'"},
	{"tsvector", `'''a"b'':1A'`},
	{"tsquery", "'a & !b'"},
	{"xml", "'<a>\"</a>'"},
	{"int4[]", "'{{1,2},{3,NULL}}'"},
	{"text[]", `'{"a\"b",NULL,"NULL"}'`},
	{"jsonb[]", `ARRAY['{"a":1}'::jsonb]`},
	{"int4range", "'empty'"},
	{"tstzrange", "'(-infinity,infinity]'"},
	{"int4multirange", "'{[1,3),[5,7)}'"},
	{"pg_lsn", "'FFFFFFFF/FFFFFFFF'"},
	{"txid_snapshot", "'10:20:10,14'"},
	{"regclass", "'project'"},
	{"mood", "'a \"b\"'"},
	{"pair", `ROW(1, 'x"y')`},
	{"positive", "7"},
	{"small_positive", "3"},
	{"document", `'{"d": 1}'`},
	{"flags", "'{t,f}'"},
	{"moment", "'2026-01-02 03:04:05.6+00'"},
}

const hostileTypes = `CREATE TYPE mood AS ENUM ('a "b"', 'c'); CREATE TYPE pair AS (n integer, t text);
	CREATE DOMAIN positive AS numeric CHECK (VALUE > 0); CREATE DOMAIN small_positive AS positive CHECK (VALUE < 10);
	CREATE DOMAIN document AS jsonb; CREATE DOMAIN flags AS boolean[]; CREATE DOMAIN moment AS timestamptz`

// TestAnyValueOfAnyTypeRenders: whatever the types of columns allow is in the body, which
// is JSON: numbers, booleans, JSON and times as such, all else as the server's text.
func TestAnyValueOfAnyTypeRenders(t *testing.T) {
	s := newSlot(t, "FULL")
	s.db.Exec(t, hostileTypes)
	var columns, assignments []string
	for i, v := range hostileValues {
		columns = append(columns, fmt.Sprintf("ADD COLUMN c%d %s", i, v.kind))
		assignments = append(assignments, fmt.Sprintf("c%d = %s", i, v.value))
	}
	for _, table := range []string{"project", "task", "task_completion"} {
		s.db.Exec(t, "ALTER TABLE "+table+" "+strings.Join(columns, ", "))
		s.db.Exec(t, "UPDATE "+table+" SET "+strings.Join(assignments, ", "))
	}
	s.parts(t)
	s.db.Exec(t, "UPDATE task_completion SET lead_time = 'NaN', updated_at = 'infinity', created_at = '-infinity', import_id = -9223372036854775808 WHERE id = 12")
	s.db.Exec(t, "UPDATE task SET precomputed_agreement = '-Infinity', inner_id = 9223372036854775807, created_at = '0044-03-15 BC' WHERE id = (SELECT task_id FROM task_completion WHERE id = 12)")
	s.db.Exec(t, "UPDATE project SET updated_at = '294276-01-01', pinned_at = 'infinity', title = E'\\x01' WHERE id = 1")
	for _, e := range s.run(t, Options{}) {
		body := e.Body(e.Action, true).Bytes()
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%s: the body is no JSON: %.2000s", e.Action, body)
		}
		var fields map[string]map[string]json.RawMessage
		var whole map[string]json.RawMessage
		if err := json.Unmarshal(body, &whole); err != nil {
			t.Fatal(err)
		}
		delete(whole, "action")
		rest, _ := json.Marshal(whole)
		if err := json.Unmarshal(rest, &fields); err != nil {
			t.Fatal(err)
		}
		for table, of := range map[string]string{"project": "project", "task": "task", "task_completion": "annotation"} {
			if fields[of] == nil {
				continue
			}
			for i, v := range hostileValues {
				got := fields[of][fmt.Sprintf("c%d", i)]
				text := s.db.QueryText(t, fmt.Sprintf("SELECT CASE WHEN c%[1]d IS NULL THEN 'is null' ELSE format('%%s', c%[1]d) END FROM %[2]s WHERE id = %[3]s", i, table, fields[of]["id"]))
				if !isValueOf(t, got, text) {
					t.Errorf("%s of %s: %s %s is %s, the server says %s", of, e.Action, v.kind, v.value, got, text)
				}
			}
		}
	}
}

// isValueOf reports whether the JSON says what the server's text does.
func isValueOf(t *testing.T, value json.RawMessage, text string) bool {
	t.Helper()
	var s string
	switch {
	case value == nil:
		return false
	case string(value) == "null":
		return text == "is null" || text == "NaN" || strings.HasSuffix(text, "Infinity") || text == "null"
	case string(value) == "true" || string(value) == "false":
		return strings.HasPrefix(string(value), text)
	case json.Unmarshal(value, &s) == nil && (s == text || string(value) == text):
		return true
	case strings.HasSuffix(s, "Z"): // a time: 2026-01-02 03:04:05.6+00
		return strings.HasPrefix(strings.Replace(s, "T", " ", 1), strings.TrimSuffix(text, "+00"))
	}
	var compact bytes.Buffer
	return json.Compact(&compact, []byte(text)) == nil && compact.String() == string(value)
}

// TestCatalogueFollowsTheDatabase: one Renderer, while tables are made, dropped and altered.
func TestCatalogueFollowsTheDatabase(t *testing.T) {
	s := newSlot(t, "FULL")
	o := Options{CountShare: 1000}
	m, l, r := NewMapper(o), NewLocator(s.pool, o), NewRenderer(s.pool, o)
	s.db.Exec(t, "CREATE TABLE authors AS SELECT * FROM task_comment_authors; DROP TABLE task_comment_authors")
	read := func() ([]*Event, error) {
		s.db.Exec(t, "UPDATE task_completion SET updated_at = clock_timestamp() WHERE id = 12")
		events := mapAll(t, m, s.parts(t))
		if err := l.Locate(context.Background(), events); err != nil {
			t.Fatal(err)
		}
		return events, r.Render(context.Background(), events)
	}
	render := func() map[string]any {
		t.Helper()
		events, err := read()
		if err != nil {
			t.Fatal(err)
		}
		return payload(t, events, AnnotationUpdated)
	}
	if got := at(t, render(), "task", "comment_authors"); len(got.([]any)) != 0 {
		t.Errorf("authors without a table: %v", got)
	}
	task := s.db.QueryText(t, "SELECT task_id FROM task_completion WHERE id = 12")
	s.db.Exec(t, "CREATE TABLE task_comment_authors (LIKE authors); INSERT INTO task_comment_authors VALUES (1, "+task+", 2)")
	if got := at(t, render(), "task", "comment_authors"); fmt.Sprint(got) != "[2]" {
		t.Errorf("authors after the table was made: %v, want [2]", got)
	}
	s.db.Exec(t, "DROP TABLE task_comment_authors")
	if got := at(t, render(), "task", "comment_authors"); len(got.([]any)) != 0 {
		t.Errorf("authors after the table was dropped: %v", got)
	}
	counts := at(t, render(), "project", "total_annotations_number")
	for _, rename := range [][2]string{{"project_id", "moved"}, {"moved", "project_id"}} {
		for _, table := range []string{"prediction", "task_completion"} {
			s.db.Exec(t, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", table, rename[0], rename[1]))
			if got := at(t, render(), "project", "total_annotations_number"); got != counts {
				t.Errorf("with %s.%s: %v annotations, want %v", table, rename[1], got, counts)
			}
		}
	}
	s.db.Exec(t, "ALTER TABLE task RENAME COLUMN is_labeled TO moved")
	if _, err := read(); !isUndefined(err) {
		t.Errorf("without task.is_labeled: error %v, want that the column is not there", err)
	}
	s.db.Exec(t, "ALTER TABLE task RENAME COLUMN moved TO is_labeled")
	if got := at(t, render(), "project", "total_annotations_number"); got != counts {
		t.Errorf("with all columns again: %v annotations, want %v", got, counts)
	}
	s.db.Exec(t, "ALTER TABLE task ADD COLUMN comment_authors integer DEFAULT 7, ADD COLUMN project text DEFAULT 'x'; ALTER TABLE project ADD COLUMN task_number integer")
	body := render()
	if got := at(t, body, "task", "comment_authors"); got != 7.0 {
		t.Errorf("a column comment_authors is %v, want 7", got)
	}
	if got := at(t, body, "task", "project_id"); got != 1.0 {
		t.Errorf("project_id beside a column project is %v, want 1", got)
	}
	if got := at(t, body, "project", "task_number"); got == nil {
		t.Error("a column task_number stands for the number of tasks")
	}
}

func isUndefined(err error) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && fault.Code == "42703"
}

// TestTypeChangedSinceTheCommit: a value is encoded by the type that it had then.
func TestTypeChangedSinceTheCommit(t *testing.T) {
	for name, test := range map[string]struct{ from, value, to, using string }{
		"text to jsonb":      {"text", "'not json'", "jsonb", "to_jsonb(x)"},
		"jsonb to text":      {"jsonb", `'{"a": 1}'`, "text", "'not json'"},
		"domain to numeric":  {"small", "'abc'", "numeric", "1"},
		"text to bool":       {"text", "'perhaps'", "boolean", "true"},
		"a toasted column":   {"jsonb", `(SELECT jsonb_agg(md5(n::text)) FROM generate_series(1, 2000) n)`, "text", "'not json'"},
		"a toasted document": {"text", `(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 2000) n)`, "jsonb", "'[1]'"},
	} {
		for _, identity := range []string{"FULL", "DEFAULT"} {
			t.Run(name+"/"+identity, func(t *testing.T) {
				t.Parallel()
				s := newSlot(t, identity)
				s.db.Exec(t, "CREATE DOMAIN small AS text; ALTER TABLE task_completion ADD COLUMN x "+test.from)
				s.db.Exec(t, "UPDATE task_completion SET x = "+test.value)
				s.parts(t)
				s.db.Exec(t, "UPDATE task_completion SET updated_at = clock_timestamp() WHERE id = 12")
				s.db.Exec(t, "ALTER TABLE task_completion ALTER COLUMN x TYPE "+test.to+" USING "+test.using)
				events := s.run(t, Options{})
				body := events[0].Body(events[0].Action, true).Bytes()
				if !json.Valid(body) {
					t.Errorf("the body is no JSON: %.1000s", body)
				}
			})
		}
	}
}
