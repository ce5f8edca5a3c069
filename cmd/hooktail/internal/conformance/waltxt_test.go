package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseWAL(t *testing.T) {
	const open, end = "BEGIN\ntable public.", "\nCOMMIT\n"
	text := func(s string) Value { return Value{Text: s} }
	for _, tt := range []struct {
		name, in string
		want     RowChange
	}{
		{
			"insert", "task: INSERT: id[integer]:1 ok[boolean]:true note[text]:null",
			RowChange{Table: "task", Op: "INSERT", New: Row{"id": text("1"), "ok": text("true"), "note": {Null: true}}},
		},
		{"quotes", "t: INSERT: a[text]:'it''s \"so\"' b[character varying]:''''", RowChange{Table: "t", Op: "INSERT", New: Row{"a": text(`it's "so"`), "b": text("'")}}},
		{"the word null", "t: INSERT: a[text]:'null'", RowChange{Table: "t", Op: "INSERT", New: Row{"a": text("null")}}},
		{"backslash", `t: INSERT: a[text]:'\'`, RowChange{Table: "t", Op: "INSERT", New: Row{"a": text(`\`)}}},
		{
			"lines", "t: INSERT: a[text]:'one\nCOMMIT\ntable public.t: DELETE: id[integer]:1' b[integer]:2",
			RowChange{Table: "t", Op: "INSERT", New: Row{"a": text("one\nCOMMIT\ntable public.t: DELETE: id[integer]:1"), "b": text("2")}},
		},
		{"quoted name and array", `t: INSERT: "order"[integer[]]:'{1,2}'`, RowChange{Table: "t", Op: "INSERT", New: Row{"order": text("{1,2}")}}},
		{
			"unchanged TOAST", "t: UPDATE: id[integer]:1 a[text]:unchanged-toast-datum b[text]:'unchanged-toast-datum'",
			RowChange{Table: "t", Op: "UPDATE", New: Row{"id": text("1"), "b": text("unchanged-toast-datum")}},
		},
		{
			"changed key", "t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 a[text]:'x'",
			RowChange{Table: "t", Op: "UPDATE", Old: Row{"id": text("1")}, New: Row{"id": text("2"), "a": text("x")}},
		},
		{"delete", "t: DELETE: id[integer]:1", RowChange{Table: "t", Op: "DELETE", Old: Row{"id": text("1")}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseWAL(open + tt.in + end)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]RowChange{{tt.want}}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseWALRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"no transaction":    "table public.t: DELETE: id[integer]:1\n",
		"no end":            "BEGIN\ntable public.t: DELETE: id[integer]:1\n",
		"no closing quote":  "BEGIN\ntable public.t: INSERT: a[text]:'x''\nCOMMIT\n",
		"unknown operation": "BEGIN\ntable public.t: TRUNCATE: (no-flags)\nCOMMIT\n",
		"other text":        "hello",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseWAL(in); err == nil {
				t.Errorf("got %v, want an error", got)
			}
		})
	}
}

// TestParseWALReadsTheWholeRecording counts the rows of the five published
// tables against the messages of pgoutput, recorded beside.
func TestParseWALReadsTheWholeRecording(t *testing.T) {
	published := []string{projects, tasks, annotations, hooks, hookActions}
	rows := 0
	for _, s := range load(t) {
		txs, err := ParseWAL(s.WAL)
		if err != nil {
			t.Errorf("%s: %s", s.Name, err)
			continue
		}
		got := map[string]int{}
		for _, tx := range txs {
			for _, c := range tx {
				rows++
				if slices.Contains(published, c.Table) {
					got[c.Op]++
				}
			}
		}
		if diff := cmp.Diff(pgoutputRows(t, s), got); diff != "" {
			t.Errorf("%s: rows by operation (-pgoutput +test_decoding):\n%s", s.Name, diff)
		}
	}
	if rows != 773 {
		t.Errorf("%d row changes, want 773", rows)
	}
}

func pgoutputRows(t *testing.T, s Scenario) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.ChangesPath), "wal.pgoutput.hex"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{"49": "INSERT", "55": "UPDATE", "44": "DELETE"}
	counts := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if _, message, _ := strings.Cut(line, " "); len(message) > 2 && kinds[message[:2]] != "" {
			counts[kinds[message[:2]]]++
		}
	}
	return counts
}

func TestCopyValue(t *testing.T) {
	for in, want := range map[string]Value{
		`\N`:       {Null: true},
		``:         {},
		`a\tb\nc`:  {Text: "a\tb\nc"},
		`\\n \\\\`: {Text: `\n \\`},
		`\\N`:      {Text: `\N`},
		`{"a": 1}`: {Text: `{"a": 1}`},
	} {
		if got := copyValue(in); got != want {
			t.Errorf("%s: got %+v, want %+v", in, got, want)
		}
	}
}

func FuzzParseWAL(f *testing.F) {
	all, err := Scenarios(filepath.Join(recording, "scenarios"))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		f.Add(s.WAL)
	}
	f.Fuzz(func(t *testing.T, text string) {
		txs, err := ParseWAL(text)
		if err == nil && len(txs) == 0 && strings.TrimSpace(text) != "" {
			t.Errorf("%q was read as nothing", text)
		}
	})
}
