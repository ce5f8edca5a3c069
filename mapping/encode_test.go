package mapping

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/cdc"
)

func TestAppendValue(t *testing.T) {
	tests := []struct {
		name string
		oid  uint32
		in   string
		want string
	}{
		{"true", pgtype.BoolOID, "t", "true"},
		{"false", pgtype.BoolOID, "f", "false"},
		{"negative bigint", pgtype.Int8OID, "-8972176531595611310", "-8972176531595611310"},
		{"float", pgtype.Float8OID, "12.345", "12.345"},
		{"float with exponent", pgtype.Float8OID, "1e-07", "1e-07"},
		{"negative zero", pgtype.Float8OID, "-0", "-0"},
		{"not a number", pgtype.Float8OID, "NaN", "null"},
		{"infinity", pgtype.Float8OID, "-Infinity", "null"},
		{"numeric beyond float64", pgtype.NumericOID, "123456789012345678901234567890.10", "123456789012345678901234567890.10"},
		{"jsonb byte for byte", pgtype.JSONBOID, `{"a": 1.0, "b":[1e400]}`, `{"a": 1.0, "b":[1e400]}`},
		{"timestamp", pgtype.TimestamptzOID, "2026-11-23 09:40:48.158352+00", `"2026-11-23T09:40:48.158352Z"`},
		{"timestamp, trailing zeros", pgtype.TimestamptzOID, "2026-11-23 09:37:56.41842+00", `"2026-11-23T09:37:56.418420Z"`},
		{"timestamp, whole second", pgtype.TimestamptzOID, "2026-11-23 09:37:56+00", `"2026-11-23T09:37:56Z"`},
		{"timestamp of another zone", pgtype.TimestamptzOID, "2026-11-23 01:37:56.5+05:30", `"2026-11-22T20:07:56.500000Z"`},
		{"timestamp west", pgtype.TimestamptzOID, "2026-12-31 23:37:56-08", `"2027-01-01T07:37:56Z"`},
		{"timestamp infinity", pgtype.TimestamptzOID, "infinity", `"infinity"`},
		{"uuid", pgtype.UUIDOID, "1cdd8947-ab33-460e-aefd-6d373843ed4d", `"1cdd8947-ab33-460e-aefd-6d373843ed4d"`},
		{"text", pgtype.TextOID, "a\"b\\c\n\r\t\x01\x7f é 😀", "\"a\\\"b\\\\c\\n\\r\\t\\u0001\x7f é 😀\""},
		{"not UTF-8", pgtype.TextOID, "a\xffb\xc3", "\"a\ufffdb\ufffd\""},
		{"tsvector", 3614, "'2':3B 'newsroom':2B", `"'2':3B 'newsroom':2B"`},
		{"what is no integer", pgtype.Int4OID, "0x1", `"0x1"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(appendValue(nil, encodings[test.oid], []byte(test.in))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestIsNumber(t *testing.T) {
	for in, want := range map[string]bool{
		"0": true, "-1": true, "10": true, "0.5": true, "1e+300": true, "1E5": true, "-0.0": true,
		"": false, "-": false, "01": false, "1.": false, ".5": false, "1e": false, "+1": false, "1 ": false, "1e5x": false,
	} {
		if got := isNumber([]byte(in)); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
		if json.Valid([]byte(in)) != want && in != "1 " {
			t.Errorf("%q: encoding/json does not agree", in)
		}
	}
}

func TestNameUndefined(t *testing.T) {
	tests := []struct{ name, data, types, want string }{
		{"renamed", `{"$undefined$": "v", "n": 1.0}`, `{"t": "Text", "longer": "Text"}`, `{"n": 1.0, "t": "v"}`},
		{"no types", `{"$undefined$": "v"}`, `{}`, `{"$undefined$": "v"}`},
		{"types null", `{"$undefined$": "v"}`, ``, `{"$undefined$": "v"}`},
		{"not at the top", `{"a": {"$undefined$": 1}}`, `{"t": "Text"}`, `{"a": {"$undefined$": 1}}`},
		{"name is there", `{"t": 1, "$undefined$": 2}`, `{"t": "Text"}`, `{"t": 2}`},
		{"numbers as they are", `{"$undefined$": 1e400, "x": 123456789012345678901}`, `{"t": 1}`, `{"x": 123456789012345678901, "t": 1e400}`},
		{"not an object", `["$undefined$"]`, `{"t": 1}`, `["$undefined$"]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := string(nameUndefined([]byte(test.data), []byte(test.types))); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	rel := &cdc.Relation{Columns: []cdc.Column{
		{Name: "id", Type: pgtype.Int4OID},
		{Name: "token", Type: pgtype.TextOID},
		{Name: "created_by_id", Type: pgtype.Int4OID},
		{Name: "unique_id", Type: pgtype.UUIDOID},
		{Name: "reviewer_id", Type: pgtype.Int4OID},
		{Name: "note", Type: pgtype.TextOID},
		{Name: "gone", Type: pgtype.TextOID},
	}}
	f := newFormat(rel, project, map[string]column{"reviewer_id": {foreign: true}}, false)
	state := image{row: row(rel, 1, "secret", 2, "u", 3, unchanged{}, unchanged{})}
	later := read{&cdc.Relation{Columns: []cdc.Column{{Name: "note"}}}, cdc.MakeTuple(cdc.Value{Kind: cdc.Text, Text: []byte("later")})}
	got, omitted := f.appendFields(nil, state, later, nil)
	const want = `"id": 1, "token": null, "created_by": 2, "unique_id": "u", "reviewer": 3, "note": "later"`
	if string(got) != want || omitted != 1 {
		t.Errorf("got %s and %d left out, want %s and 1", got, omitted, want)
	}
	state.old = row(rel, 1, "s", 2, "u", 3, "before", nil)
	if got, omitted := f.appendFields(nil, state, later, nil); !strings.Contains(string(got), `"note": "before", "gone": null`) || omitted != 0 {
		t.Errorf("got %s, want the old row's values", got)
	}
}

type recordedValue struct {
	column, text string
	oid          uint32
}

// recordedValues are the quoted column values of test_decoding in wal.txt.
func recordedValues(t testing.TB, names ...string) []recordedValue {
	t.Helper()
	types := map[string]uint32{
		"jsonb": pgtype.JSONBOID, "text": pgtype.TextOID, "character varying": pgtype.VarcharOID,
		"timestamp with time zone": pgtype.TimestamptzOID, "uuid": pgtype.UUIDOID,
	}
	quoted := regexp.MustCompile(`(\w+)\[([a-z ]+)\]:'((?:[^']|'')*)'`)
	var all []recordedValue
	for _, name := range names {
		wal, err := os.ReadFile(filepath.Join(scenarios, name, "wal.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllSubmatch(wal, -1) {
			text := strings.ReplaceAll(string(m[3]), "''", "'")
			all = append(all, recordedValue{string(m[1]), text, types[string(m[2])]})
		}
	}
	return all
}

// Any text of any type becomes valid JSON. The text of a json column is valid
// already, or the server would not have it.
func FuzzRender(f *testing.F) {
	f.Add(uint32(pgtype.TextOID), "a\"\\\n\xff", "name_id")
	f.Add(uint32(pgtype.TimestamptzOID), "2026-11-23 09:40:48.158352+00", "created_at")
	f.Add(uint32(pgtype.TimestamptzOID), "2026-11-23 09:40:48.158352-03:30", "created_at")
	f.Add(uint32(pgtype.TimestamptzOID), "20262-11-23 09:40:48+00 BC", "created_at")
	f.Add(uint32(pgtype.Float8OID), "-1.5e+300", "lead_time")
	f.Add(uint32(pgtype.JSONBOID), `{"$undefined$": [1.0, null]}`, "data")
	f.Add(uint32(pgtype.BoolOID), "t", "was_cancelled")
	for _, v := range recordedValues(f, "46-json-values-annotation", "47-unicode-task-and-annotation", "61-undefined-stored-then-config") {
		f.Add(v.oid, v.text, v.column)
	}
	f.Fuzz(func(t *testing.T, oid uint32, text, name string) {
		as := encodings[oid]
		if as == asJSON && !json.Valid([]byte(text)) {
			as = asString
		}
		rel := &cdc.Relation{Columns: []cdc.Column{{Name: name, Type: oid}}}
		format := newFormat(rel, task, map[string]column{name: {foreign: true}}, true)
		format.fields[0].as = as
		var types []byte
		if as == asJSON {
			types = []byte(`{"t": "Text"}`)
		}
		got, omitted := format.appendFields([]byte("{"), image{row: cdc.MakeTuple(cdc.Value{Kind: cdc.Text, Text: []byte(text)})}, read{}, types)
		got = append(got, '}')
		if !json.Valid(got) || omitted != 0 {
			t.Errorf("%d %q: %s is no JSON", oid, text, got)
		}
		if as != asJSON && !utf8.Valid(got) {
			t.Errorf("%d %q: %q is no UTF-8", oid, text, got)
		}
	})
}
