package dispatch

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
)

// TestNothingIsSentAgainWithoutPermit: a sender that was frozen finds its kept connection closed, or answered by
// something else, when another one has delivered the event and those after it. The request is not repeated.
func TestNothingIsSentAgainWithoutPermit(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"closed":   "",
		"confused": "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := dispatchtest.Receiver(t)
			receiver.Script("/", dispatchtest.Status(200), dispatchtest.Raw(answer), dispatchtest.Status(200))
			permitted := func() bool { return len(receiver.Requests("/")) < 2 } // it is frozen when the second one arrives
			hooks := newTestHooks(t, dispatchtest.HookRow(1, receiver.URL+"/"))
			log := &dispatchtest.Log{}
			d := New(Options{Hooks: hooks, Sender: newTestSender(t, send.Options{Timeout: time.Minute}), Permit: permitted, Log: log.Logger()})
			defer d.Close()
			defer d.Halt()
			for n := range 2 {
				if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(n, 7), func() {})}); err != nil {
					t.Fatal(err)
				}
				receiver.Wait(t, "/", n+1)
			}
			<-time.After(300 * time.Millisecond) // for a request that must not come
			if n := len(receiver.Requests("/")); n != 2 {
				t.Errorf("%d requests: one was repeated", n)
			}
		})
	}
}
