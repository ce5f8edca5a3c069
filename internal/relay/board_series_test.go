package relay

import (
	"testing"
	"time"
)

// TestSeriesIsTheLastHour: a place every ten seconds, with rates of what was counted
// meanwhile, and no more places than an hour has.
func TestSeriesIsTheLastHour(t *testing.T) {
	t.Parallel()
	var s series
	now, lag := time.Unix(1_800_000_000, 0), 0.5
	begun := now
	for second := range 2 * seriesPlaces * 10 {
		now = begun.Add(time.Duration(second) * time.Second)
		s.note(now, func() figures { return figures{lag: &lag, delivered: uint64(30 * second), failed: uint64(2 * second)} })
	}
	all := s.all()
	last := seriesPlaces - 1
	if len(all.Times) != seriesPlaces || len(all.Lag) != seriesPlaces || len(all.Retained) != seriesPlaces || len(all.Delivered) != seriesPlaces || len(all.Failed) != seriesPlaces {
		t.Fatalf("%d places of %d, %d, %d, %d values", len(all.Times), len(all.Lag), len(all.Retained), len(all.Delivered), len(all.Failed))
	}
	if all.Times[last]-all.Times[0] != int64(10*last) || now.Unix()-all.Times[last] >= 10 {
		t.Errorf("times from %d to %d at %d", all.Times[0], all.Times[last], now.Unix())
	}
	if *all.Delivered[last] != 30 || *all.Failed[0] != 2 || *all.Lag[last] != lag || all.Retained[last] != nil {
		t.Errorf("%v/s delivered, %v/s failed, lag %v, retained %v", *all.Delivered[last], *all.Failed[0], *all.Lag[last], all.Retained[last])
	}
	s = series{}
	if none := s.all(); none.Times == nil || none.Retained == nil {
		t.Errorf("a series of nothing is %+v: null is no column", none)
	}
}

// TestOneBackfillAtATime: while one runs no other begins, and it can be stopped once.
func TestOneBackfillAtATime(t *testing.T) {
	t.Parallel()
	b := newBackfills()
	if b.shown() != nil || b.end() {
		t.Error("a backfill runs that nobody has asked for")
	}
	first := &backfill{stop: make(chan struct{})}
	if !b.begin(first) || b.begin(&backfill{stop: make(chan struct{})}) {
		t.Error("a second one begins")
	}
	steps{b, first}.Step(41, time.Now())
	if shown := b.shown(); shown.Done != 1 || shown.Last != 41 || !shown.Ended.IsZero() {
		t.Errorf("it is at %+v", shown)
	}
	for range 2 {
		if !b.end() {
			t.Error("it is not stopped")
		}
	}
	<-first.stop
	<-b.asked // as run takes it on
	b.mu.Lock()
	first.state.Ended = time.Now()
	b.mu.Unlock()
	if b.end() || !b.begin(&backfill{stop: make(chan struct{})}) {
		t.Error("no other begins once it has ended")
	}
}
