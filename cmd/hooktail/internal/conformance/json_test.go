package conformance

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDecimal(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"1e+21", "1000000000000000000000"},
		{"-0.0", "0"},
		{"0e99999999999999999999", "0.00"},
		{"1e-07", "0.0000001"},
		{"1.0", "1"},
		{"10", "1E1"},
		{"123456789012345678901234567890", "1234567890.12345678901234567890e20"},
		{"1e999999999999999999999", "10e999999999999999999998"},
		{"-12.50", "-1.25e1"},
	} {
		if decimal(tt.a) != decimal(tt.b) {
			t.Errorf("%s is %s, %s is %s: want the same", tt.a, decimal(tt.a), tt.b, decimal(tt.b))
		}
	}
	for _, tt := range []struct{ a, b string }{
		{"1", "-1"},
		{"9007199254740993", "9007199254740992"},
		{"18446744073709551617", "18446744073709551616"},
		{"1e999999999999999999999", "1e999999999999999999998"},
		{"0.1", "0.10000000000000001"},
	} {
		if decimal(tt.a) == decimal(tt.b) {
			t.Errorf("%s and %s are both %s: want them to differ", tt.a, tt.b, decimal(tt.a))
		}
	}
}

// TestDecimalIsExact compares with big.Rat, which would write large exponents out.
func TestDecimalIsExact(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("%s%d.%s1e%d",
			rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign"),
			rapid.IntRange(0, 1000).Draw(t, "whole"),
			strings.Repeat("0", rapid.IntRange(0, 3).Draw(t, "zeros")),
			rapid.IntRange(-60, 60).Draw(t, "exponent"))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, y, z := new(big.Rat), new(big.Rat), new(big.Rat)
		x.SetString(a)
		y.SetString(b)
		if (x.Cmp(y) == 0) != (decimal(a) == decimal(b)) {
			t.Fatalf("%s is %s, %s is %s", a, decimal(a), b, decimal(b))
		}
		if _, ok := z.SetString(decimal(a)); !ok || x.Cmp(z) != 0 {
			t.Fatalf("%s is written as %s", a, decimal(a))
		}
	})
}

func TestDiff(t *testing.T) {
	for _, tt := range []struct {
		name, want, got string
		diff            []string
	}{
		{"equal", `{"a": [1, {"b": null}]}`, `{"a":[1.0,{"b":null}]}`, nil},
		{"key order", `{"a": 1, "b": 2}`, `{"b": 2, "a": 1}`, nil},
		{"escapes", `"\u00e9\ud83d\ude42"`, `"é🙂"`, nil},
		{"value", `{"a": {"b": "x"}}`, `{"a": {"b": "y"}}`, []string{`$.a.b: want "x", got "y"`}},
		{"number is not text", `{"a": 1}`, `{"a": "1"}`, []string{`$.a: want 1, got "1"`}},
		{"null is not nothing", `{"a": null}`, `{}`, []string{`$.a: want null, got nothing`}},
		{"too much", `{}`, `{"a": 1}`, []string{`$.a: want nothing, got 1`}},
		{"large integers", `[9007199254740993]`, `[9007199254740992]`, []string{`$[0]: want 9007199254740993, got 9007199254740992`}},
		{"lists are ordered", `{"l": [1, 2]}`, `{"l": [2, 1]}`, []string{`$.l[0]: want 1, got 2`, `$.l[1]: want 2, got 1`}},
		{"list too short", `[1, 2]`, `[1]`, []string{`$[1]: want 2, got nothing`}},
		{"list too long", `[1]`, `[1, 2]`, []string{`$[1]: want nothing, got 2`}},
		{"deleted ids are a set", `{"action": "TASKS_DELETED", "tasks": [{"id": 2}, {"id": 10}]}`, `{"action": "TASKS_DELETED", "tasks": [{"id": 10}, {"id": 2}]}`, nil},
		{"not of twice the same", `{"action": "TASKS_DELETED", "tasks": [{"id": 2}]}`, `{"action": "TASKS_DELETED", "tasks": [{"id": 2}, {"id": 2}]}`, []string{`$.tasks[1]: want nothing, got {"id":2}`}},
		{"other lists are not", `{"action": "ANNOTATIONS_CREATED", "task": [{"id": 2}, {"id": 10}]}`, `{"action": "ANNOTATIONS_CREATED", "task": [{"id": 10}, {"id": 2}]}`, []string{`$.task[0].id: want 2, got 10`, `$.task[1].id: want 10, got 2`}},
		{"not JSON", `{}`, `{`, []string{`parse the body: unexpected EOF`}},
		{"more than JSON", `{}`, `{}{}`, []string{`parse the body: more than one JSON value`}},
		{"long values are cut", `""`, `"` + strings.Repeat("x", 500) + `"`, []string{`$: want "", got "` + strings.Repeat("x", 119) + `… (502 bytes)`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.diff, Diff(json.RawMessage(tt.want), json.RawMessage(tt.got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestHugeExponentsCostNothing: a body from outside cannot make the comparison
// write a number out.
func TestHugeExponentsCostNothing(t *testing.T) {
	if got := Diff(json.RawMessage(`1e1000000000`), json.RawMessage(`1e1000000001`)); len(got) != 1 {
		t.Errorf("got %v, want one difference", got)
	}
}
