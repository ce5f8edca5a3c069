package config

import (
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory.
type Bytes int64

// The binary units.
const (
	KiB Bytes = 1 << (10 * (iota + 1))
	MiB
	GiB
)

// unit is what a number of Bytes may be followed by.
type unit struct {
	name string
	size Bytes
}

// units is largest first; the binary ones are those that String uses.
func units() []unit {
	return []unit{
		{"GiB", GiB},
		{"MiB", MiB},
		{"KiB", KiB},
		{"GB", 1_000_000_000},
		{"MB", 1_000_000},
		{"kB", 1_000},
	}
}

// UnmarshalText reads a whole number, with a unit or without: 64MiB, 67108864.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, size := string(text), Bytes(1)
	for _, u := range units() {
		if digits, found := strings.CutSuffix(number, u.name); found {
			number, size = digits, u.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	switch {
	case err != nil:
		return problem("is not a number of bytes")
	case n > uint64(math.MaxInt64/size):
		return problem("is too large")
	}
	*b = Bytes(n) * size
	return nil
}

// String is the amount in the largest binary unit that divides it, in a form
// that UnmarshalText reads.
func (b Bytes) String() string {
	for _, u := range units()[:3] {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
