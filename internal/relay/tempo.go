package relay

import (
	"fmt"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
)

// Rates are those of the last paceSamples × paceEvery.
const (
	paceEvery   = time.Second
	paceSamples = 10
)

// tempo measures the rates of a term. It is safe for concurrent use.
type tempo struct {
	mu      sync.Mutex
	samples []sample // newest last
}

// sample holds the counts at one moment.
type sample struct {
	at        time.Time
	confirmed cdc.LSN
	delivered uint64
	hooks     map[int64]hookSample
}

type hookSample struct {
	delivered uint64
	parked    int
}

// hookPace is per second; drained is the decrease of parked deliveries.
type hookPace struct{ delivered, drained float64 }

func (p *tempo) note(stats cdc.Stats, d *dispatch.Dispatcher, now time.Time) {
	s := sample{at: now, confirmed: stats.Confirmed, hooks: make(map[int64]hookSample)}
	for _, o := range d.Overview() {
		s.delivered += o.Counts.Delivered
		s.hooks[o.Hook.ID] = hookSample{o.Counts.Delivered, o.Parked}
	}
	p.add(s)
}

func (p *tempo) add(s sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.samples = append(p.samples, s); len(p.samples) > paceSamples+1 {
		p.samples = append(p.samples[:0], p.samples[1:]...)
	}
}

// span returns the oldest and the newest sample, and the seconds between them; 0 if there
// are fewer than two.
func (p *tempo) span() (from, to sample, seconds float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.samples) < 2 {
		return from, to, 0
	}
	from, to = p.samples[0], p.samples[len(p.samples)-1]
	return from, to, to.at.Sub(from.at).Seconds()
}

// delivered returns deliveries per second, of all hooks.
func (p *tempo) delivered() float64 {
	from, to, seconds := p.span()
	return perSecond(float64(to.delivered)-float64(from.delivered), seconds)
}

// confirmed returns bytes of WAL per second.
func (p *tempo) confirmed() float64 {
	from, to, seconds := p.span()
	return perSecond(float64(to.confirmed)-float64(from.confirmed), seconds)
}

func (p *tempo) hook(id int64) hookPace {
	from, to, seconds := p.span()
	a, known := from.hooks[id]
	if !known {
		return hookPace{}
	}
	b := to.hooks[id]
	return hookPace{
		perSecond(float64(b.delivered)-float64(a.delivered), seconds),
		perSecond(float64(a.parked-b.parked), seconds),
	}
}

// perSecond is never negative: a count that decreases, for example because a hook was
// deleted, has no rate.
func perSecond(n, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return max(0, n/seconds)
}

// The stream is reported as catching up from these values on.
const (
	behindBytes   = 1 << 20
	behindSeconds = 5.0
)

// progress returns the long operations of a term.
func (s *shown) progress(stream *status.Stream, stats cdc.Stats, hooks []dispatch.Overview, stopping bool) []status.Progress {
	var list []status.Progress
	if stopping {
		p := status.Progress{What: status.Stopping, Left: int64(s.dispatcher.Unfinished()), Unit: "deliveries", Rate: s.pace.delivered()}
		list = append(list, withEnd(p, "stopping: "+display.Count(p.Left, "delivery")+" in flight"))
	}
	if t := stats.Reading; t.Changes > 0 {
		p := status.Progress{What: status.Transaction, Left: int64(t.End - min(t.At, t.End)), Unit: "bytes", Done: int64(t.Changes)}
		if took := time.Since(t.Since).Seconds(); took > 0 {
			p.Rate = float64(t.At-min(t.From, t.At)) / took
		}
		list = append(list, withEnd(p, fmt.Sprintf("a transaction of %s at %s: %d changes read, %s of WAL left", display.Time(t.Committed), t.End, t.Changes, display.Size(p.Left))))
	}
	if stream.LagBytes != nil && *stream.LagBytes > behindBytes && *stream.LagSeconds > behindSeconds {
		p := status.Progress{What: status.CatchingUp, Left: *stream.LagBytes, Unit: "bytes", Rate: s.pace.confirmed()}
		list = append(list, withEnd(p, "catching up: "+display.Size(p.Left)+" of WAL left"))
	}
	for i := range hooks {
		o := &hooks[i]
		if o.Parked > 0 && (o.Draining || o.State == dispatch.StateLive) {
			p := status.Progress{What: status.Draining, Hook: o.Hook.ID, Left: int64(o.Parked), Unit: "deliveries", Rate: s.pace.hook(o.Hook.ID).drained}
			list = append(list, withEnd(p, fmt.Sprintf("hook %d receives parked deliveries: %s left", p.Hook, display.Count(p.Left, "delivery"))))
		}
	}
	return list
}

// withEnd adds the remaining time at the present rate.
func withEnd(p status.Progress, about string) status.Progress {
	rate := fmt.Sprintf("%.0f/s", p.Rate)
	if p.Unit == "bytes" {
		rate = display.Size(int64(p.Rate)) + "/s"
	}
	p.About = about
	if p.Rate > 0 {
		left := float64(p.Left) / p.Rate
		p.Seconds = &left
		p.About += ", " + rate + ", about " + display.Seconds(left)
	}
	return p
}
