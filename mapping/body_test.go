package mapping

import (
	"io"
	"strings"
	"testing"
)

// TestWithin: a body of any number of pieces stands between head and tail, and its large
// pieces are not copied.
func TestWithin(t *testing.T) {
	t.Parallel()
	large := []byte(strings.Repeat("large", 100))
	payload := &Event{Payload: []byte(`"task": {"id": 1}`), nested: &nested{json: large}}
	for name, body := range map[string]Body{
		"empty":        {},
		"stored":       BodyOf(large),
		"action alone": payload.Body(TaskCreated, false),
		"of one":       (&Event{Payload: large}).Body(TaskCreated, true),
		"of two":       payload.Body(TaskCreated, true),
		"four pieces":  {pieces{[]byte("a"), nil, []byte("b"), large, []byte("d")}},
	} {
		before := string(body.Bytes())
		for _, room := range []int{0, 100} {
			got := body.Within(append(make([]byte, 0, room), "head "...), []byte(" tail"))
			want := "head " + before + " tail"
			if read, err := io.ReadAll(got.Reader()); string(got.Bytes()) != want || got.Len() != len(want) || string(read) != want || err != nil {
				t.Errorf("%s: %.60q, %d bytes, reads %.60q (%v), want %.60q", name, got.Bytes(), got.Len(), read, err, want)
			}
			shared := !strings.Contains(before, string(large))
			for piece := range got.Pieces() {
				shared = shared || &piece[0] == &large[0]
			}
			if !shared || string(body.Bytes()) != before {
				t.Errorf("%s: the large piece was copied, or the body has changed", name)
			}
		}
	}
}
