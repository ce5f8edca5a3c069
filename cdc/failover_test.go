package cdc

import (
	"errors"
	"testing"
	"time"
)

// TestDiverged: whatever a stream has read that its server does not have, done or not,
// whole or not, ends it, and moves its position no more. Nothing that it remembers of
// the LSNs from there on holds.
func TestDiverged(t *testing.T) {
	promoted := timelines{current: 2, past: []timeline{{1, 85}}}
	for _, test := range []struct {
		name      string
		read      [][]byte // of the server before
		keepalive LSN
		now       timelines
		written   LSN
		want      LSN // up to where it had been read; 0: nothing is wrong
	}{
		{name: "connected again", read: transactionOf(100, "a"), now: timelines{current: 1}, written: 150},
		{name: "promoted with all of it", read: transactionOf(80, "a"), now: promoted, written: 95},
		{name: "promoted without a transaction", read: transactionOf(100, "lost"), now: promoted, written: 95, want: 100},
		{name: "promoted without one, and long ago", read: transactionOf(100, "lost"), now: promoted, written: 500, want: 100},
		{name: "promoted without the one that begins the timeline", read: transactionOf(85, "lost"), now: promoted, written: 95, want: 85},
		{name: "promoted without a part of one", read: transactionOf(100, "a", "b", "c")[:4], now: promoted, written: 95, want: 100},
		{name: "promoted without the WAL of others", keepalive: 90, now: promoted, written: 95, want: 90},
		{name: "promoted, nobody knows where", read: transactionOf(80, "a"), now: timelines{current: 2}, written: 95, want: 80},
		{name: "less WAL than before", read: transactionOf(100, "lost"), now: timelines{current: 1}, written: 95, want: 100},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(Options{Slot: "s", PartRows: 1})
			s.position.Idle(50, time.Time{})
			if test.keepalive != 0 {
				s.position.Idle(test.keepalive, time.Time{})
			}
			mustFeed(t, &s.assembler, test.read...)
			s.assembler.cut()
			s.assembler.timelines = test.now
			slot := &Slot{Name: "s", SystemID: "1", Timeline: test.now.current, Confirmed: 50, Written: test.written}
			before := s.position.progress().confirmed
			err := s.diverged(t.Context(), slot, &Memory{SystemID: "1", Timeline: 1})
			for _, part := range s.assembler.flush() {
				finish(part) // delivered after all
			}
			diverged, ok := errors.AsType[*Diverged](err)
			if ok != (test.want != 0) || err != nil && !ok {
				t.Fatalf("error %v", err)
			}
			if !ok {
				return
			}
			if diverged.Read != test.want || Final(err) || !s.ends(err) {
				t.Errorf("error %+v, final %v, ends the stream %v, want one of what was read to %v that ends the stream alone", diverged, Final(err), s.ends(err), test.want)
			}
			if got := s.position.progress().confirmed; got != before {
				t.Errorf("the position has moved to %v", got)
			}
		})
	}
}

// TestDelivered: what a keepalive confirms is no transaction.
func TestDelivered(t *testing.T) {
	p := NewPosition(0)
	check := func(delivered, confirmed LSN) {
		t.Helper()
		if p.progress().delivered != delivered || p.progress().confirmed != confirmed {
			t.Errorf("delivered %v of %v, want %v of %v", p.progress().delivered, p.progress().confirmed, delivered, confirmed)
		}
	}
	p.Idle(10, time.Time{})
	check(10, 10)
	p.Idle(20, time.Time{})
	check(10, 20)
	p.Begin(time.Time{}).Close(30)
	check(30, 30)
	p.Idle(40, time.Time{})
	check(30, 40)
	p.Begin(time.Time{}).Close(0) // cut off
	check(30, 40)
}

// TestPastLater: what was delivered stays known when the next stream begins where the
// slot stands, and that is before.
func TestPastLater(t *testing.T) {
	before := &Memory{SystemID: "1", Timeline: 1, End: 90, Done: 80}
	for _, test := range []struct {
		name   string
		now    Memory
		before *Memory
		want   LSN
	}{
		{"the first", Memory{SystemID: "1", Timeline: 1, End: 50, Done: 50}, nil, 50},
		{"behind", Memory{SystemID: "1", Timeline: 1, End: 50, Done: 50}, before, 80},
		{"ahead", Memory{SystemID: "1", Timeline: 1, End: 99, Done: 99}, before, 99},
		{"promoted", Memory{SystemID: "1", Timeline: 2, End: 50, Done: 50}, before, 50},
		{"another server", Memory{SystemID: "2", Timeline: 1, End: 50, Done: 50}, before, 50},
	} {
		if got := test.now.Later(test.before); got.Done != test.want || got.End < test.want {
			t.Errorf("%s: delivered %v of %v, want %v", test.name, got.Done, got.End, test.want)
		}
	}
}
