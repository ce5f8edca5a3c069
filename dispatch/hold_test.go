package dispatch

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestRetryAfterOverARestart: Retry-After also holds after a restart, for stored and new
// events, unless a person requests an attempt.
func TestRetryAfterOverARestart(t *testing.T) {
	for _, tt := range []struct {
		name  string
		retry bool
		hold  time.Duration // of Retry-After
		after time.Duration // until the restart
		sent  time.Duration // the first request after the restart, since the first of all
	}{
		{"begun", false, 10 * time.Minute, time.Minute, 10 * time.Minute},
		{"just before the end", false, 10 * time.Minute, 0, 10 * time.Minute},
		{"nearly over", false, 10 * time.Minute, 9*time.Minute + 59*time.Second, 10 * time.Minute},
		{"over", false, 10 * time.Minute, 11 * time.Minute, 11 * time.Minute},
		{"a person's wish before the restart", true, 10 * time.Minute, time.Minute, time.Minute},
		{"too short to be noted", false, 3 * time.Second, time.Second, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, hooks, c := newFakeStore(), newTestHooks(t, hostRow(1)), newCalls()
				sender := send.New(send.Options{Transport: dispatchtest.Transport(func(r *http.Request) (*http.Response, error) {
					switch n := c.note(r); {
					case n == 2 && tt.retry:
						return dispatchtest.Answer(500), nil
					case n > 1:
						return dispatchtest.Answer(200), nil
					}
					a := dispatchtest.Answer(429)
					a.Header.Set("Retry-After", strconv.Itoa(int(tt.hold.Seconds())))
					return a, nil
				})})
				start := func() *Dispatcher {
					d := New(Options{Hooks: hooks, Sender: sender, Store: store, Log: (&dispatchtest.Log{}).Logger()})
					backlogs, _ := store.backlogs(t.Context())
					d.Restore(backlogs, store.holds())
					return d
				}
				enqueue := func(d *Dispatcher, n int) {
					if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(n, int64(n)), nil)}); err != nil {
						t.Fatal(err)
					}
				}
				d := start()
				enqueue(d, 1)
				<-time.After(tt.after)
				if tt.retry {
					d.Retry(1)
					synctest.Wait()
				}
				if err := d.Park(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.Close()
				before := len(c.all())
				d = start()
				defer func() { d.Close() }()
				enqueue(d, 2)
				<-time.After(10 * time.Millisecond)
				if got, want := d.Overview()[0].State == StateWaiting, tt.sent > tt.after; got != want {
					t.Errorf("waiting: %t, want %t", got, want)
				}
				<-time.After(tt.sent - tt.after + time.Second)
				list := c.all()[before:]
				if len(list) == 0 || list[0].at < tt.sent || list[0].at > tt.sent+time.Second {
					t.Errorf("requests after the restart: %+v, want the first at %s", list, tt.sent)
				}
			})
		})
	}
}

// lockedHolds is a store in which somebody has locked the hook's setting for a while.
type lockedHolds struct {
	*fakeStore
	until time.Time
}

func (s lockedHolds) Hold(ctx context.Context, hook int64, wait time.Duration) error {
	if time.Now().Before(s.until) {
		return &state.LockedError{}
	}
	return s.fakeStore.Hold(ctx, hook, wait)
}

// TestLastRetryAfterIsStored: of several changes of a pause, whose row is locked meanwhile,
// the store has the last one.
func TestLastRetryAfterIsStored(t *testing.T) {
	for _, ended := range []time.Duration{300 * time.Millisecond, 990 * time.Millisecond, 5 * time.Second} { // the lock, after the first pause
		synctest.Test(t, func(t *testing.T) {
			store, c := lockedHolds{newFakeStore(), time.Now().Add(ended)}, newCalls()
			b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
				if c.note(r) > 1 {
					return dispatchtest.Answer(500), nil
				}
				a := dispatchtest.Answer(429)
				a.Header.Set("Retry-After", "600")
				return a, nil
			}, hostRow(1))
			b.enqueue(t, 1, 1, 1)
			<-time.After(ended + 5*time.Millisecond)
			b.Retry(1) // ends the pause
			<-time.After(time.Minute)
			synctest.Wait()
			if holds := store.holds(); len(holds) != 1 || holds[0].Held > 0 {
				t.Errorf("locked for %s: %+v, want no pause", ended, holds)
			}
		})
	}
}
