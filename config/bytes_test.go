package config_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/config"
)

func TestBytes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want config.Bytes
	}{
		{"plain", "16777217", 16777217},
		{"KiB", "2KiB", 2048},
		{"MiB", "64MiB", 67108864},
		{"GiB", "1GiB", 1073741824},
		{"kB", "2kB", 2000},
		{"MB", "3MB", 3000000},
		{"GB", "1GB", 1000000000},
		{"most", "9223372036854775807", math.MaxInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got config.Bytes
			if err := got.UnmarshalText([]byte(tt.in)); err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("UnmarshalText(%q) = %d, want %d", tt.in, got, tt.want)
			}
		})
	}
}

func TestBytesRefuses(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "MiB", "-1", "+1", "1.5GiB", "1 MiB", "1mib", "1M", "0x10", "1_000", "9223372036854775808", "8589934592GiB"} {
		got := config.Bytes(7)
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("UnmarshalText(%q) = %d, want an error", in, got)
		}
		if got != 7 {
			t.Errorf("UnmarshalText(%q) changed the value to %d", in, got)
		}
	}
}

func TestBytesReadsAnyNumberInAnyUnit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units := map[string]config.Bytes{"": 1, "kB": 1000, "KiB": config.KiB, "MB": 1e6, "MiB": config.MiB, "GB": 1e9, "GiB": config.GiB}
		unit := rapid.SampledFrom(slices.Sorted(maps.Keys(units))).Draw(t, "unit")
		number := rapid.Int64Range(0, math.MaxInt64>>30).Draw(t, "number")
		text := fmt.Sprint(number, unit)
		var got config.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if want := config.Bytes(number) * units[unit]; got != want {
			t.Fatalf("%s is read as %d, want %d", text, got, want)
		}
	})
}
