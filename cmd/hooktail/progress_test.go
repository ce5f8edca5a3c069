package main

import (
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

func TestProgress(t *testing.T) {
	begun := time.Now()
	for _, tt := range []struct {
		name     string
		terminal bool
		want     string
	}{
		{"terminal", true, "\r[#####...............] 1 of 4 rows, 1/s, up to id 101\x1b[K\r[##########..........] 2 of 4 rows, 1/s, up to id 102\x1b[K" +
			"\r[####################] 4 of 4 rows, 0/s, up to id 104\x1b[K\n"},
		{"elsewhere", false, "4 of 4 rows, 0/s, up to id 104\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			p := newProgress(&out, 4, begun)
			if p.terminal {
				t.Error("a builder is no terminal")
			}
			p.terminal = tt.terminal
			for i, after := range []time.Duration{time.Second, 2 * time.Second, 2050 * time.Millisecond, 11 * time.Second} {
				p.Step(int64(101+i), begun.Add(after))
			}
			p.End()
			p.End()
			if out.String() != tt.want {
				t.Errorf("shown:\n%q\nwant:\n%q", out.String(), tt.want)
			}
		})
	}
}
