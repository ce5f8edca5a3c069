package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// TestBatchesKeepAPace: what a few users do leaves at once, however close together; only
// batches that go on to follow each other wait for company, and none does after a rest.
func TestBatchesKeepAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipeline{settle: time.Second, pacing: newPacing()}
		waited := func(batches int, every time.Duration) (sum time.Duration) {
			for range batches {
				<-time.After(every)
				grow := p.growing([]*wanted{{event: &mapping.Event{Received: time.Now()}}})
				<-time.After(grow)
				sum += grow
			}
			return sum
		}
		if got := waited(burst, 0); got != 0 {
			t.Errorf("%d batches at once have waited %s", burst, got)
		}
		if got, want := waited(40, 0), 40*pace; got < want-pace || got > want {
			t.Errorf("40 more have waited %s, want %s", got, want)
		}
		if got := waited(100, 2*pace); got != 0 {
			t.Errorf("batches that are further apart than the pace have waited %s", got)
		}
		p.settle = 0
		if got := waited(3*burst, 0); got != 0 {
			t.Errorf("with SETTLE=0 batches have waited %s", got)
		}
	})
}
