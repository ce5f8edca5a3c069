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

// UnmarshalText reads a whole number with or without a unit: 64MiB, 67108864.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, size := string(text), Bytes(1)
	for unit, of := range map[string]Bytes{"GiB": GiB, "MiB": MiB, "KiB": KiB, "GB": 1e9, "MB": 1e6, "kB": 1e3} {
		if digits, found := strings.CutSuffix(number, unit); found {
			number, size = digits, of
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
