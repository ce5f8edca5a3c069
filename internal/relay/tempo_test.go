package relay

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/internal/status"
)

func TestProgressSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	p := withEnd(status.Progress{What: status.CatchingUp, Left: 8_000_000, Unit: "bytes", Rate: 2_000_000}, "catching up: 8 MB of WAL left")
	if p.About != "catching up: 8 MB of WAL left, 2 MB/s, about 4 s" || *p.Seconds != 4 {
		t.Errorf("%q, %v", p.About, p.Seconds)
	}
	if p := withEnd(status.Progress{Left: 3, Unit: "deliveries"}, "stopping"); p.About != "stopping" || p.Seconds != nil {
		t.Errorf("without a rate: %q, %v", p.About, p.Seconds)
	}
	pace, now := tempo{}, time.Now()
	for n := range 3 * paceSamples {
		at := now.Add(time.Duration(n) * time.Second)
		pace.add(sample{at: at, confirmed: 0, delivered: uint64(7 * n), hooks: map[int64]hookSample{1: {uint64(7 * n), 1000 - 2*n}}})
	}
	if d, h := pace.delivered(), pace.hook(1); d != 7 || h != (hookPace{7, 2}) || pace.hook(2) != (hookPace{}) || len(pace.samples) != paceSamples+1 {
		t.Errorf("%v per second, of hook 1 %+v, %d samples", d, h, len(pace.samples))
	}
}
