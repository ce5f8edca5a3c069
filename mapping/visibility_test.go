package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSnapshotHides(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, snapshot string
		in, want       []uint32
	}{
		{"nothing runs", "100:100:", []uint32{99, 7}, nil},
		{"the next one", "100:100:", []uint32{99, 100, 101}, []uint32{100, 101}},
		{"running ones", "100:105:100,103", []uint32{99, 100, 101, 103, 104}, []uint32{100, 103}},
		{"a later epoch", "4294967396:4294967398:4294967396", []uint32{99, 100, 101, 102}, []uint32{100, 102}},
		{"across the epoch", "4294967290:4294967300:4294967295", []uint32{4294967289, 4294967295, 2, 4}, []uint32{4294967295, 4}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parseSnapshot(tt.snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, s.hidden(tt.in)); diff != "" {
				t.Errorf("hidden (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSnapshotOfAnotherForm(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "100", "100:x:", "-1:100:"} {
		if s, err := parseSnapshot(text); err == nil {
			t.Errorf("parseSnapshot(%q) = %v, want an error", text, s)
		}
	}
}
