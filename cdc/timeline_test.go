package cdc

import "testing"

func TestTimelines(t *testing.T) {
	past, err := parseHistory([]byte("# comment\n1\t0/3000000\tno recovery target specified\n\n2\t1/5\tbefore 2026-01-01\n"))
	if err != nil {
		t.Fatal(err)
	}
	lines := timelines{current: 3, past: past}
	for _, test := range []struct {
		name string
		in   LSN
		want int32
	}{
		{"beginning", 1, 1},
		{"last record of the first", 0x2FFFFFF, 1},
		{"where the second began", 0x3000000, 2},
		{"where the third began", 1<<32 + 5, 3},
		{"now", 1 << 40, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := lines.at(test.in); got != test.want {
				t.Errorf("timeline of %v = %d, want %d", test.in, got, test.want)
			}
		})
	}
}

func TestParseHistoryRefuses(t *testing.T) {
	for _, in := range []string{"1", "x\t0/1\t", "1\tnowhere\t"} {
		if past, err := parseHistory([]byte(in)); err == nil {
			t.Errorf("%q parsed as %v", in, past)
		}
	}
}
