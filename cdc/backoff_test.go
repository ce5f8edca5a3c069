package cdc

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	const least, most = 100 * time.Millisecond, 10 * time.Second
	for _, test := range []struct {
		name   string
		n      int
		random float64
		want   time.Duration
	}{
		{"first", 0, 0, least},
		{"second", 1, 0, 2 * least},
		{"bounded", 7, 0, most},
		{"never overflows", 1 << 20, 0, most},
		{"shortened by half at most", 1 << 20, 1, most / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := backoff(test.n, least, most, test.random); got != test.want {
				t.Errorf("pause %v, want %v", got, test.want)
			}
		})
	}
}
