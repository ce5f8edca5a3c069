package config

import (
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory.
type Bytes int64

// Binary units.
const (
	KiB Bytes = 1 << (10 * (iota + 1))
	MiB
	GiB
)

// unit is a unit that may follow a number of Bytes.
type unit struct {
	name string
	size Bytes
}

// units lists the units, largest first; String uses the binary ones.
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

// UnmarshalText reads a whole number with or without a unit: 64MiB, 67108864.
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

// String returns the amount in the largest binary unit that divides it. UnmarshalText
// reads this form.
func (b Bytes) String() string {
	for _, u := range units()[:3] {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
