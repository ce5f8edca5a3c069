package cdc

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTupleRoundTrip lays any values out and reads them again.
func TestTupleRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values []Value
		for range rapid.IntRange(0, 20).Draw(t, "columns") {
			v := Value{Kind: rapid.SampledFrom([]Kind{Null, Unchanged, Text}).Draw(t, "kind")}
			if v.Kind == Text {
				v.Text = append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, "text")...)
			}
			values = append(values, v)
		}
		made := MakeTuple(values...)
		wire := concat(uint16(len(values)), made.raw, []byte("rest"))
		read, rest, _, err := tupleAt(wire, nil)
		if err != nil || string(rest) != "rest" {
			t.Fatalf("rest %q, error %v", rest, err)
		}
		for _, tuple := range []Tuple{made, read} {
			var got []Value
			for i := range tuple.Len() {
				got = append(got, Value{tuple.Kind(i), tuple.Text(i)})
			}
			if diff := cmp.Diff(values, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if tuple.IsZero() {
				t.Fatal("a row, even without columns, is zero")
			}
		}
	})
}

func TestTupleWithoutColumn(t *testing.T) {
	for _, tuple := range []Tuple{{}, MakeTuple(Value{Text, []byte("7")})} {
		for _, i := range []int{-1, 1} {
			if tuple.Kind(i) != Null || tuple.Text(i) != nil {
				t.Errorf("column %d of %d: kind %q, text %q, want null", i, tuple.Len(), tuple.Kind(i), tuple.Text(i))
			}
		}
	}
	if !(Tuple{}).IsZero() || MakeTuple(Value{Text, []byte("7")}).Size() != 1+4+1+4 {
		t.Error("zero or size are wrong")
	}
}

func TestTextCannotReachItsNeighbour(t *testing.T) {
	tuple := MakeTuple(Value{Text, []byte("a")}, Value{Text, []byte("b")})
	_ = append(tuple.Text(0), "overwritten"...)
	if got := string(tuple.Text(1)); got != "b" {
		t.Errorf("second column = %q, want b", got)
	}
}

// TestMakeUTF8: whatever bytes the values have, they are UTF-8 of the same length afterwards,
// and JSON remains JSON. What was UTF-8 is as it was.
func TestMakeUTF8(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		valid, other := rapid.String().Draw(t, "valid"), rapid.SliceOf(rapid.ByteRange(0x80, 0xff)).Draw(t, "other")
		document := `{"v":"` + string(other) + `"}`
		tuple := MakeTuple(Value{Kind: Text, Text: []byte(valid)}, Value{Kind: Null}, Value{Kind: Text, Text: []byte(document)}, Value{Kind: Unchanged})
		tuple.makeUTF8()
		if got := string(tuple.Text(0)); got != valid {
			t.Errorf("%q has become %q", valid, got)
		}
		if got := tuple.Text(2); !utf8.Valid(got) || !json.Valid(got) || len(got) != len(document) {
			t.Errorf("%q has become %q", document, got)
		}
		if tuple.Kind(1) != Null || tuple.Kind(3) != Unchanged {
			t.Errorf("the kinds are %q and %q", tuple.Kind(1), tuple.Kind(3))
		}
	})
}
