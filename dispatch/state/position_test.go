package state_test

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestPositionHasItsOwnTime: the time that is recorded is that of the recorded position, whatever
// the database's clock did: a repair looks for rows that have changed since.
func TestPositionHasItsOwnTime(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	type place struct {
		end cdc.LSN
		at  time.Time
	}
	for _, test := range []struct {
		name    string
		written []place
		want    place
	}{
		{"it advances", []place{{100, noon}, {200, noon.Add(time.Hour)}}, place{200, noon.Add(time.Hour)}},
		{"the clock was set back", []place{{100, noon}, {200, noon.Add(-time.Hour)}}, place{200, noon.Add(-time.Hour)}},
		{"idle", []place{{100, noon}, {100, noon.Add(time.Hour)}}, place{100, noon.Add(time.Hour)}},
		{"idle, the clock was set back", []place{{100, noon}, {100, noon.Add(-time.Hour)}}, place{100, noon.Add(-time.Hour)}},
		{"the server remembers an earlier position", []place{{200, noon}, {100, noon.Add(time.Hour)}}, place{200, noon}},
		{"an earlier position, the clock was set back", []place{{200, noon}, {100, noon.Add(-time.Hour)}}, place{200, noon}},
		{"the time is unknown", []place{{100, noon}, {200, time.Time{}}}, place{200, noon}},
		{"the time becomes known", []place{{100, time.Time{}}, {200, noon}}, place{200, noon}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			positions := state.NewPositions(migrated(t).Connect(t), schema, "slot")
			for _, p := range test.written {
				if err := positions.Write(t.Context(), &cdc.Memory{SystemID: "1", Timeline: 1, End: p.end, At: p.at}); err != nil {
					t.Fatal(err)
				}
			}
			got, err := positions.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.End != test.want.end || !got.At.Equal(test.want.at) {
				t.Errorf("%s at %s, want %s at %s", got.End, got.At, test.want.end, test.want.at)
			}
		})
	}
}
