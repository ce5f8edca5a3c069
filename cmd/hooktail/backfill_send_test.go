package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{every: 10 * time.Millisecond}
		begun := time.Now()
		wait := func(want time.Duration) {
			t.Helper()
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begun); got != want {
				t.Errorf("it is %s, want %s", got, want)
			}
		}
		wait(0)
		wait(10 * time.Millisecond)
		time.Sleep(4 * time.Millisecond) //nolint:forbidigo // of the bubble
		wait(20 * time.Millisecond)
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // of the bubble
		wait(120 * time.Millisecond)
		wait(130 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) || time.Since(begun) != 131*time.Millisecond {
			t.Errorf("error %v after %s", err, time.Since(begun))
		}
	})
}

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
				p.step(int64(101+i), begun.Add(after))
			}
			p.end()
			p.end()
			if out.String() != tt.want {
				t.Errorf("shown:\n%q\nwant:\n%q", out.String(), tt.want)
			}
		})
	}
}
