package cdc

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPositionIsContiguousPrefix drives a Position in any order and compares it
// with the plain definition: the end of the last transaction before which, and
// with which, all are done.
func TestPositionIsContiguousPrefix(t *testing.T) {
	type model struct {
		tx     *Tx
		end    LSN
		holds  int
		closed bool
	}
	rapid.Check(t, func(t *rapid.T) {
		p := NewPosition(1)
		var txs []*model
		want, next := LSN(1), LSN(10)
		open := func(t *rapid.T, wanted string, ok func(*model) bool) *model {
			var able []*model
			for _, m := range txs {
				if ok(m) {
					able = append(able, m)
				}
			}
			if len(able) == 0 {
				t.Skip("no transaction to " + wanted) // rapid draws another step: no test is left out
			}
			return rapid.SampledFrom(able).Draw(t, wanted)
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(*rapid.T) {
				txs = append(txs, &model{tx: p.Begin(time.Unix(int64(next), 0)), end: next})
				next += 10
			},
			"hold": func(t *rapid.T) {
				m := open(t, "hold", func(m *model) bool { return !m.closed || m.holds > 0 })
				n := rapid.IntRange(1, 3).Draw(t, "n")
				m.tx.Hold(n)
				m.holds += n
			},
			"done": func(t *rapid.T) {
				m := open(t, "release", func(m *model) bool { return m.holds > 0 })
				m.tx.Done()
				m.holds--
			},
			"close": func(t *rapid.T) {
				m := open(t, "close", func(m *model) bool { return !m.closed })
				m.tx.Close(m.end)
				m.closed = true
			},
			"idle": func(*rapid.T) {
				p.Idle(next, time.Unix(int64(next), 0))
				if outstanding(len(txs), func(i int) bool { return txs[i].closed && txs[i].holds == 0 }) == 0 {
					want = max(want, next)
				}
				next += 10
			},
			"": func(t *rapid.T) {
				n := len(txs) - outstanding(len(txs), func(i int) bool { return txs[i].closed && txs[i].holds == 0 })
				if n > 0 {
					want = max(want, txs[n-1].end)
				}
				if got := p.progress().confirmed; got != want {
					t.Fatalf("confirmed %v, want %v", got, want)
				}
				if now := p.progress(); now.confirmed != want || want > 1 && !now.at.Equal(time.Unix(int64(want), 0)) {
					t.Fatalf("confirmed %v as of %s, want the time %d", now.confirmed, now.at, want)
				}
				if got := p.progress().outstanding; got != len(txs)-n {
					t.Fatalf("%d outstanding, want %d", got, len(txs)-n)
				}
			},
		})
	})
}

// outstanding is how many of n come after the prefix that is done.
func outstanding(n int, done func(int) bool) int {
	for i := range n {
		if !done(i) {
			return n - i
		}
	}
	return 0
}

func TestPositionRefusesMisuse(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(*Tx)
	}{
		{"done without hold", func(tx *Tx) { tx.Done() }},
		{"closed twice", func(tx *Tx) { tx.Close(9); tx.Close(9) }},
		{"hold when done", func(tx *Tx) { tx.Close(9); tx.Hold(1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			test.do(NewPosition(1).Begin(time.Time{}))
		})
	}
}
