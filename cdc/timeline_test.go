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

func TestTimelinesLeft(t *testing.T) {
	third := timelines{current: 3, past: []timeline{{1, 10}, {2, 50}}}
	for _, test := range []struct {
		name       string
		now, other timelines
		end        LSN
		ok         bool
	}{
		{name: "the same", now: third, other: timelines{current: 3}},
		{name: "promoted", now: third, other: timelines{current: 2}, end: 50, ok: true},
		{name: "promoted twice", now: third, other: timelines{current: 1}, end: 10, ok: true},
		{name: "promoted, with its history", now: third, other: timelines{current: 2, past: []timeline{{1, 10}}}, end: 50, ok: true},
		{name: "a sibling that left first", now: timelines{current: 3, past: []timeline{{1, 60}}}, other: timelines{current: 2, past: []timeline{{1, 50}}}, end: 50, ok: true},
		{name: "a sibling that left later", now: timelines{current: 3, past: []timeline{{1, 40}}}, other: timelines{current: 2, past: []timeline{{1, 50}}}, end: 40, ok: true},
		{
			name: "children of siblings", now: timelines{current: 5, past: []timeline{{1, 40}, {3, 70}}},
			other: timelines{current: 4, past: []timeline{{1, 50}, {2, 80}}}, end: 40, ok: true,
		},
		{name: "a sibling without its history", now: timelines{current: 3, past: []timeline{{1, 40}}}, other: timelines{current: 2}, end: 40, ok: true},
		{name: "without a history", now: timelines{current: 3}, other: timelines{current: 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if end, ok := test.now.left(&test.other); end != test.end || ok != test.ok {
				t.Errorf("left at %v, %v, want %v, %v", end, ok, test.end, test.ok)
			}
		})
	}
}
