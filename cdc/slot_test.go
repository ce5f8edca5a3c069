package cdc

import "testing"

// TestCanDecode: since version 19 the server raises the level while it has logical slots.
func TestCanDecode(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version int
		level   string
		want    bool
	}{
		{140000, "minimal", false},
		{140000, "replica", false},
		{140000, "logical", true},
		{180004, "replica", false},
		{180004, "logical", true},
		{190000, "minimal", false},
		{190000, "replica", true},
		{190000, "logical", true},
		{200000, "replica", true},
	} {
		if got := canDecode(test.version, test.level); got != test.want {
			t.Errorf("version %d, wal_level %s: %t, want %t", test.version, test.level, got, test.want)
		}
	}
}
