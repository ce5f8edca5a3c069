package filter

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// plain is the value as encoding/json would have it, with all numbers as float64.
func plain(t interface{ Fatalf(string, ...any) }, v ref.Val) any {
	switch v := v.(type) {
	case types.Null:
		return nil
	case types.Bool:
		return bool(v)
	case types.String:
		return string(v)
	case types.Int:
		return float64(v)
	case types.Uint:
		return float64(v)
	case types.Double:
		return float64(v)
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			list = append(list, plain(t, it.Next()))
		}
		return list
	case traits.Mapper:
		m := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			m[string(key.(types.String))] = plain(t, v.Get(key))
		}
		return m
	default:
		t.Fatalf("%T: %v", v, v)
		return nil
	}
}

// anyJSON is any value that JSON can have.
func anyJSON(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return strings.ToValidUTF8(v, "�") }),
		rapid.Map(rapid.Int64(), func(v int64) any { return float64(v) }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars,
		rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return anyJSON(depth - 1) }), 0, 4), func(v []any) any { return v }),
		rapid.Map(rapid.MapOfN(rapid.String(), rapid.Deferred(func() *rapid.Generator[any] { return anyJSON(depth - 1) }), 0, 4), func(v map[string]any) any {
			m := map[string]any{}
			for key, value := range v {
				m[strings.ToValidUTF8(key, "�")] = value
			}
			return m
		}),
	)...)
}

// TestBodyIsWhatJSONSays: decoding where it is looked at is no other than decoding all.
func TestBodyIsWhatJSONSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyJSON(3).Draw(t, "value")
		text, err := json.Marshal(want)
		if rapid.Bool().Draw(t, "indented") {
			text, err = json.MarshalIndent(want, "\t", " \r\n")
		}
		if err != nil {
			t.Fatal(err)
		}
		b := NewBody([]byte(`"project": 1, "task": `+string(text)), []byte(` "annotation": `+string(text)+"\n"))
		for _, member := range []string{"task", "annotation"} {
			if diff := cmp.Diff(want, plain(t, b.member(member)), cmp.Comparer(func(a, b float64) bool { return a == b })); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", text, diff)
			}
		}
	})
}

// TestNoJSON: what is not JSON is an error where it is looked at, not a panic and not
// something else.
func TestNoJSON(t *testing.T) {
	for _, text := range []string{
		"", " ", "{", "}", "[", "]", `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{a:1}`, `[1,]`, `[1 2]`, `[,]`, `"`, `"a`, `"\"`, `"\q"`, "\"\xff\"", "tru", "nul", "NaN", "Infinity",
		"-", "+1", "1e", "0x1", "1_0", "{]", "[}", "--1", "1.2.3",
	} {
		for _, wrapped := range []string{text, `{"a": ` + text + `}`, `[` + text + `]`} {
			if isJSON := json.Valid([]byte(wrapped)); isJSON {
				continue
			}
			if text == "\"\xff\"" { // which encoding/json mends
				continue
			}
			if v := reach(decode([]byte(wrapped))); !types.IsError(v) {
				t.Errorf("%q is %v", wrapped, v)
			}
		}
	}
	b := NewBody([]byte(`"task": {}, "project"`))
	for _, member := range []string{"task", "task", "project"} {
		if !types.IsError(b.member(member)) {
			t.Errorf("member %s of a body that is cut off is no error", member)
		}
	}
}

// reach is the first thing within the value that has no elements.
func reach(v ref.Val) ref.Val {
	switch c := v.(type) {
	case traits.Lister:
		if c.Size() != types.IntZero {
			return reach(c.Get(types.IntZero))
		}
	case traits.Mapper:
		if it := c.Iterator(); it.HasNext() == types.True {
			return reach(c.Get(it.Next()))
		}
	}
	return v
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]ref.Val{
		"0": types.Int(0), "-0": types.Int(0), "9223372036854775807": types.Int(math.MaxInt64), "-9223372036854775808": types.Int(math.MinInt64),
		"9223372036854775808": types.Uint(1 << 63), "18446744073709551615": types.Uint(math.MaxUint64), "18446744073709551616": types.Double(1 << 64),
		"-9223372036854775809": types.Double(-1 << 63), "1.0": types.Double(1), "1e3": types.Double(1000), "1E-1": types.Double(.1), "1e999": types.Double(math.Inf(1)),
	} {
		if got := decode([]byte(text)); got.Type() != want.Type() || got.Equal(want) != types.True {
			t.Errorf("%s is %v %v, want %v %v", text, got.Type(), got, want.Type(), want)
		}
	}
}

// TestDecodedOnce: however many expressions look at a member.
func TestDecodedOnce(t *testing.T) {
	b := body()
	first := b.member("annotation").(object)
	result, _ := first.Find(types.String("result"))
	if again, _ := b.member("annotation").(object).Find(types.String("result")); again.(array).Lister != result.(array).Lister {
		t.Error("decoded twice")
	}
	if b.members["task"].value != nil || b.members["project"].value != nil {
		t.Error("decoded what nobody looks at")
	}
}
