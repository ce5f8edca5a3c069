package send

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestConnectionsAreRenewed: a busy connection is made anew within 2 minutes, without an
// end of what is under way.
func TestConnectionsAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var dialed []time.Time // guarded by mu
		begun := time.Now()
		answer := make(chan struct{}) // lets requests for /slow be answered
		var open atomic.Int32
		r := newRenewed(func() *http.Transport {
			return &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				mu.Lock()
				dialed = append(dialed, time.Now())
				mu.Unlock()
				open.Add(1)
				client, server := net.Pipe()
				go func() {
					defer func() { server.Close(); open.Add(-1) }()
					reader := bufio.NewReader(server)
					for {
						request, err := http.ReadRequest(reader)
						if err != nil {
							return
						}
						if request.URL.Path == "/slow" {
							<-answer
						}
						if _, err := io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
							return
						}
					}
				}()
				return client, nil
			}}
		})
		send := func(path string) {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hook.test"+path, http.NoBody)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := r.RoundTrip(request)
			if err != nil {
				t.Errorf("after %s: %v", time.Since(begun), err)
				return
			}
			got.Body.Close()
		}
		slow := make(chan struct{})
		go func() { defer close(slow); send("/slow") }()
		synctest.Wait()
		for range 10 * 60 {
			send("/h")
			time.Sleep(time.Second) //nolint:forbidigo // of the bubble
		}
		close(answer)
		<-slow
		synctest.Wait()
		for i := 2; i < len(dialed); i++ {
			if age := dialed[i].Sub(dialed[i-1]); age > 2*time.Minute {
				t.Errorf("a connection served for %s", age)
			}
		}
		if n := len(dialed); n < 6 || n > 10 {
			t.Errorf("%d connections in 10 minutes", n)
		}
		if n := open.Load(); n != 1 {
			t.Errorf("%d connections are open", n)
		}
		r.CloseIdleConnections()
		synctest.Wait()
		if n := open.Load(); n != 0 {
			t.Errorf("%d connections are open at the end", n)
		}
	})
}
