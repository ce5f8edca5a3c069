package dispatch

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
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
			var permitted atomic.Bool
			permitted.Store(true)
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			requests := make(chan int, 10)
			go func() {
				for n := 0; ; {
					conn, err := listener.Accept()
					if err != nil {
						return // the test has ended
					}
					reader := bufio.NewReader(conn)
					for {
						request, err := http.ReadRequest(reader)
						if err != nil {
							break
						}
						request.Body.Close()
						if n++; n == 2 {
							permitted.Store(false) // it is frozen now
							fmt.Fprint(conn, answer)
							conn.Close()
						} else {
							fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						}
						requests <- n
					}
				}
			}()
			hooks := newTestHooks(t, dispatchtest.HookRow(1, "http://"+listener.Addr().String()))
			log := &dispatchtest.Log{}
			d := New(Options{Hooks: hooks, Sender: newTestSender(t, send.Options{Timeout: time.Minute}), Permit: permitted.Load, Log: log.Logger()})
			defer d.Close()
			defer d.Halt()
			for n := range 2 {
				if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(n, 7), func() {})}); err != nil {
					t.Fatal(err)
				}
				<-requests
			}
			select {
			case <-requests:
				t.Error("the request was repeated")
			case <-time.After(300 * time.Millisecond):
			}
		})
	}
}
