package cdc

import (
	"testing"

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
