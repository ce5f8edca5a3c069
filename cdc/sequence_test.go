package cdc

import (
	"runtime"
	"testing"
)

// FuzzDecodeSequence feeds any sequence of messages, of which the first byte of
// each stretch says how long it is, and checks what the consumer relies on.
func FuzzDecodeSequence(f *testing.F) {
	for _, r := range recordings(f) {
		if seed := framed(r.messages...); len(seed) < 4096 { // mutating long ones is slow
			f.Add(seed, false)
		}
	}
	f.Add(framed(append(transactionOf(10, "1", "2", "3"), transactionOf(20, "4")...)...), true)
	f.Add(framed(rawBegin(10, 1), rawMessage(true, "ours", "text"), rawMessage(false, "ours", "loose"), rawCommit(10), rawMessage(true, "ours", "outside")), true)
	f.Fuzz(func(t *testing.T, stream []byte, cut bool) {
		a := newAssembler()
		a.rows, a.bytes = 2, 512
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		err := feed(a, unframed(stream)...)
		runtime.ReadMemStats(&end)
		if got, most := end.TotalAlloc-start.TotalAlloc, uint64(256*len(stream)+256<<10); got > most {
			t.Fatalf("%d bytes allocated for %d", got, len(stream))
		}
		if cut {
			a.cut()
			_ = feed(a, unframed(stream)...) // an error is as good as any other outcome
		}
		checkSequence(t, a.flush(), err == nil && !cut && !a.inside())
	})
}

func checkSequence(t *testing.T, parts []*Part, whole bool) {
	var open *Part
	next := 0
	var ended LSN
	for _, p := range parts {
		switch {
		case p.First:
			if open != nil {
				t.Fatal("a transaction begins within another")
			}
			if p.Commit <= ended {
				t.Fatalf("transaction at %v after the one at %v", p.Commit, ended)
			}
			open, next = p, 0
		case open == nil || open.Tx != p.Tx || open.Commit != p.Commit:
			t.Fatal("part that belongs to no transaction")
		}
		for _, c := range p.Changes {
			if c.Ordinal != next {
				t.Fatalf("ordinal %d, want %d", c.Ordinal, next)
			}
			next++
		}
		if p.Last {
			open, ended = nil, p.Commit
			p.Tx.Close(p.End)
		}
	}
	if whole && open != nil {
		t.Fatal("the stream is whole and its last transaction has no last part")
	}
}

// framed puts messages one after the other, each after its length.
func framed(messages ...[]byte) []byte {
	var out []byte
	for _, m := range messages {
		out = append(out, concat(uint16(len(m)), m[:min(len(m), 1<<16-1)])...)
	}
	return out
}

func unframed(stream []byte) [][]byte {
	var out [][]byte
	for c := (cursor{rest: stream}); len(c.rest) > 0; {
		n := uint32(c.uint16())
		if m := c.bytes(min(n, uint32(len(c.rest)))); c.err == nil {
			out = append(out, m)
		}
	}
	return out
}
