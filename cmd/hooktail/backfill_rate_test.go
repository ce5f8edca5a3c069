package main

import (
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
