package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want time.Duration // 0: an error
	}{
		{"100/s", 10 * time.Millisecond},
		{"1/s", time.Second},
		{"30/m", 2 * time.Second},
		{"1/h", time.Hour},
		{"", 0},
		{"100", 0},
		{"0/s", 0},
		{"-1/s", 0},
		{"1.5/s", 0},
		{"1/d", 0},
		{"/s", 0},
		{"99999999999/s", 0},
	} {
		got, err := parseRate(tt.in)
		if got != tt.want || (err == nil) != (tt.want != 0) {
			t.Errorf("parseRate(%q) = %s, %v, want %s", tt.in, got, err, tt.want)
		}
	}
}

// TestProgress: on a terminal it is a bar in one line, elsewhere a line every 10 seconds.
func TestProgress(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	steps := func(p *progress) {
		for i, after := range []time.Duration{time.Second, 2 * time.Second, 2050 * time.Millisecond, 11 * time.Second} {
			p.Step(int64(101+i), begun.Add(after))
		}
		p.End()
		p.End()
	}
	var file strings.Builder
	p := newProgress(&file, 4, begun)
	steps(p)
	if want := "4 of 4 rows, 0/s, up to id 104\n"; p.bar != nil || file.String() != want {
		t.Errorf("in a file:\n%q\nwant:\n%q", file.String(), want)
	}
	for name, total := range map[string]int64{"as counted": 4, "more than were counted": 3} {
		var terminal strings.Builder
		p = newProgress(&terminal, total, begun)
		p.bar = newBar(&terminal, total)
		steps(p)
		shown := terminal.String()
		last := shown[strings.LastIndexByte(shown, '\r')+1:]
		if !strings.Contains(last, "100% [===================") || !strings.Contains(last, fmt.Sprintf("(%d/%[1]d", total)) || !strings.Contains(last, fmt.Sprintf("up to id %d", 100+total)) || strings.Count(shown, "\n") != 1 {
			t.Errorf("on a terminal, %s:\n%q", name, shown)
		}
	}
}
