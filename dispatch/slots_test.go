package dispatch

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// hangs is a receiver that answers only at one host, and counts requests in flight.
type hangs struct {
	but string // the host that answers within a millisecond

	mu      sync.Mutex
	flight  int
	crowd   int // most requests in flight
	arrived map[string]time.Time
}

func (h *hangs) round(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	h.flight++
	h.crowd = max(h.crowd, h.flight)
	h.mu.Unlock()
	var err error
	if r.URL.Host == h.but {
		<-time.After(time.Millisecond)
	} else {
		<-r.Context().Done()
		err = context.Cause(r.Context())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flight--
	if err != nil {
		return nil, err
	}
	h.arrived[r.Header.Get("Idempotency-Key")] = time.Now()
	return dispatchtest.Answer(200), nil
}

// TestHangingHooksLeaveRoom: while many hooks hang, a working one gets each event as fast
// as alone, and its first one within seconds if all begin together. The limit of requests
// in flight holds.
func TestHangingHooksLeaveRoom(t *testing.T) {
	const hang, well = 300, 301
	for _, tt := range []struct {
		name  string
		most  int
		known bool // the one has succeeded before
		first time.Duration
	}{
		{"default", 256, true, 2 * time.Millisecond},
		{"few slots", 16, true, 2 * time.Millisecond},
		{"all begin at once", 256, false, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rows := make([]dispatchtest.Row, well)
				for i := range rows {
					rows[i] = hostRow(int64(i + 1))
				}
				receiver := &hangs{but: "h301", arrived: make(map[string]time.Time)}
				b := newBench(t, Options{Store: newFakeStore(), InFlight: tt.most}, receiver.round, rows...)
				n := 0
				send := func(hook int64) string {
					n++
					b.enqueue(t, hook, n, n)
					return ids(n, n)[0]
				}
				if tt.known {
					send(well)
					<-time.After(time.Second)
				}
				for hook := range int64(hang) {
					for range 3 {
						send(hook + 1)
					}
				}
				first, waits := send(well), time.Now()
				made := make(map[string]time.Time)
				for i := range int64(200) {
					<-time.After(100 * time.Millisecond)
					for hook := range int64(8) {
						send((8*i+hook)%hang + 1)
					}
					if i >= 30 {
						made[send(well)] = time.Now()
					}
				}
				<-time.After(time.Minute)
				receiver.mu.Lock()
				defer receiver.mu.Unlock()
				if took := receiver.arrived[first].Sub(waits); took < 0 || took > tt.first {
					t.Errorf("the first event took %s", took)
				}
				for id, at := range made {
					if took := receiver.arrived[id].Sub(at); took < 0 || took > 2*time.Millisecond {
						t.Fatalf("an event took %s", took)
					}
				}
				if receiver.crowd > tt.most || receiver.crowd < tt.most/2 {
					t.Errorf("%d requests in flight, want at most %d", receiver.crowd, tt.most)
				}
			})
		})
	}
}

// lockedBodies is a store whose bodies cannot be read: its table is locked.
type lockedBodies struct{ *fakeStore }

func (lockedBodies) Bodies(ctx context.Context, _ int64, _ []mapping.ID) (map[mapping.ID][]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestDrainingHooksLeaveRoom: hooks whose parked deliveries cannot be read do not keep the
// slots from a working one, however few slots there are, nor if an event of the working
// one is poisoned and stored.
func TestDrainingHooksLeaveRoom(t *testing.T) {
	const drain, well, poison = 40, 41, 1000
	for _, most := range []int{2, 16, 256} {
		synctest.Test(t, func(t *testing.T) {
			rows := make([]dispatchtest.Row, well)
			settings := make([]state.Setting, drain)
			for i := range rows {
				rows[i] = hostRow(int64(i + 1))
			}
			for i := range settings {
				settings[i] = state.Setting{Hook: int64(i + 1), Paused: true}
			}
			c := newCalls()
			b := newBench(t, Options{Store: lockedBodies{newFakeStore()}, InFlight: most}, func(r *http.Request) (*http.Response, error) {
				if r.Header.Get("Idempotency-Key") == ids(poison, poison)[0] {
					return dispatchtest.Answer(500), nil
				}
				c.note(r)
				return dispatchtest.Answer(200), nil
			}, rows...)
			n := 0
			send := func(hook int64) {
				n++
				b.enqueue(t, hook, n, n)
			}
			if most > 2 {
				b.enqueue(t, well, poison, poison) // takes a slot as well
			}
			for hook := range int64(well) { // all have succeeded
				send(hook + 1)
			}
			<-time.After(time.Second)
			b.Settings(settings)
			for hook := range int64(drain) {
				for range 10 {
					send(hook + 1)
				}
			}
			b.drain(t)
			before := len(c.all())
			b.Settings(nil)
			for i := range 100 {
				<-time.After(time.Second)
				send(well)
				<-time.After(time.Millisecond)
				if made := len(c.all()) - before; made != i+1 {
					t.Fatalf("%d slots: %d of %d events of the working hook were sent", most, made, i+1)
				}
			}
		})
	}
}

// TestSlots: no more slots are in use than exist, and no slot is withheld from a waiting
// lane that may have it.
func TestSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.IntRange(1, 9).Draw(t, "slots")
		s := slots{most: most, wake: func(*lane) {}}
		claims := make([]*claim, rapid.IntRange(1, 6).Draw(t, "lanes"))
		used := make(map[*claim]int)
		for i := range claims {
			claims[i] = &claim{lane: &lane{}}
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				if c := rapid.SampledFrom(claims).Draw(t, "lane"); s.acquire(c) {
					used[c]++
				}
			},
			"give": func(t *rapid.T) {
				c := rapid.SampledFrom(claims).Draw(t, "lane")
				if used[c] == 0 {
					return // it has none to give
				}
				used[c]--
				s.give(c, rapid.SampledFrom([]standing{untested, prompt, hanging, draining}).Draw(t, "says"))
			},
			"turn": func(t *rapid.T) {
				s.turn(rapid.SampledFrom(claims).Draw(t, "lane"), rapid.Bool().Draw(t, "drains"))
			},
			"decline": func(t *rapid.T) {
				c := rapid.SampledFrom(claims).Draw(t, "lane")
				s.decline(c)
			},
			"": func(t *rapid.T) {
				var taken [standings]int
				for _, c := range claims {
					n := used[c]
					if c.granted {
						n++
					}
					if n != c.taken {
						t.Errorf("a lane uses %d and has %d", n, c.taken)
					}
					taken[c.standing] += n
				}
				doubtful := taken[untested] + taken[hanging] + taken[draining]
				all := doubtful + taken[prompt]
				if taken != s.taken || all > most {
					t.Errorf("%v are taken, counted %v of %d", taken, s.taken, most)
				}
				for _, c := range claims {
					room := all < most
					switch c.standing {
					case hanging:
						room = room && taken[hanging] < max(1, most/2) && doubtful < max(1, most*3/4)
					case untested, draining:
						room = room && doubtful < max(1, most*3/4)
					}
					if c.waits && room {
						t.Errorf("somebody waits while %v of %d are taken", taken, most)
					}
				}
			},
		})
	})
}
