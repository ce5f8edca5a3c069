package send

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestEarlyAnswerCounts: a receiver that answers before it has read the body, and closes
// the connection, has answered, however large the rest of the body is. Without an answer
// the attempt ends at once.
func TestEarlyAnswerCounts(t *testing.T) {
	plain := secureServer(t, &tls.Config{})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for _, tt := range []struct {
		name, answer string
		secure       *tls.Config // nil: no TLS
		want         int         // status
	}{
		{"answer", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", nil, 413},
		{"answer over TLS", "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", plain.TLS, 413},
		{"no answer", "", nil, 0},
		{"no answer over TLS", "", plain.TLS, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			scheme, address := "http://", hasty(t, tt.answer, tt.secure)
			if tt.secure != nil {
				scheme = "https://"
			}
			s := newTestSender(t, Options{Timeout: 20 * time.Second, TLS: &tls.Config{RootCAs: roots}})
			hook := oneHook(t, dispatchtest.HookRow(1, scheme+address+"/h"))
			m := testMessage
			m.Body = mapping.BodyOf(make([]byte, 8<<20)) // more than the sockets buffer
			for range 30 {                               // the order in which net/http notices things is random
				out := s.Send(t.Context(), hook, m)
				if out.Status != tt.want || out.Status == 0 && out.Result != ResultReset {
					t.Fatalf("outcome %+v, want status %d", out, tt.want)
				}
			}
		})
	}
}

// hasty is the address of a receiver that answers when it has read the header, and closes
// the connection.
func hasty(t *testing.T, answer string, secure *tls.Config) string {
	t.Helper()
	return serveConns(t, secure, func(conn net.Conn) {
		reader := textproto.NewReader(bufio.NewReader(conn))
		_, _ = reader.ReadLine()
		_, _ = reader.ReadMIMEHeader()
		_, _ = io.WriteString(conn, answer)
	})
}

// serveConns is the address of a receiver that serves each connection so, and then closes it.
func serveConns(t *testing.T, secure *tls.Config, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has ended
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// TestMalformedAnswerCounts: a receiver whose status line says 2xx has the event, and one that
// says no has not, whatever net/http thinks of the rest of the answer. Without a status line,
// and after a preliminary one alone, there is no answer.
func TestMalformedAnswerCounts(t *testing.T) {
	plain := secureServer(t, &tls.Config{})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	s := newTestSender(t, Options{Timeout: 20 * time.Second, TLS: &tls.Config{RootCAs: roots}})
	for _, tt := range []struct {
		answer string
		want   int // status; 0: none
	}{
		{"HTTP/1.1 200 OK\r\n", 200},
		{"HTTP/1.0 204\r\n", 204},
		{"HTTP/1.1 200 OK\nX: a", 200},
		{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", 200},
		{"HTTP/1.1 200 OK\r\n: no name\r\n\r\n", 200},
		{"HTTP/1.1 202 Accepted\r\nContent-Length: -1\r\n\r\n", 202},
		{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 200},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok", 200},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200},
		{"HTTP/1.1 307 Elsewhere\r\nno colon\r\n\r\n", 307},
		{"HTTP/1.1 410 Gone\r\nno colon\r\n\r\n", 410},
		{"HTTP/1.1 500 Oops\r\nContent-Length: x\r\n\r\n", 500},
		{"HTTP/1.1 103 Early Hints\r\nno colon\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0},
		{"HTTP/1.1 20 OK\r\nno colon\r\n\r\n", 0},
		{"HTTP/1.1 2000 OK\r\nno colon\r\n\r\n", 0},
		{"HTTP/2 200 OK\r\n\r\n", 0},
		{"ICY 200 OK\r\n\r\n", 0},
		{"200 OK\r\n\r\n", 0},
		{"", 0},
	} {
		for scheme, secure := range map[string]*tls.Config{"http": nil, "https": plain.TLS} {
			hook := oneHook(t, dispatchtest.HookRow(1, scheme+"://"+hasty(t, tt.answer, secure)+"/h"))
			out := s.Send(t.Context(), hook, testMessage)
			if out.Status != tt.want || (out.Err == nil) != (tt.want != 0) || out.Result != resultOfStatus(tt.want) && tt.want != 0 {
				t.Errorf("%s, %q: outcome %+v, want status %d", scheme, tt.answer, out, tt.want)
			}
		}
	}
}

// TestStatusOfAnEarlierAnswer: the answer to one request is none to the next one on the same
// connection.
func TestStatusOfAnEarlierAnswer(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.Status(200), dispatchtest.Raw(""), dispatchtest.Raw(""))
	s := newTestSender(t, Options{Timeout: 20 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h"))
	if out := s.Send(t.Context(), hook, testMessage); out.Status != http.StatusOK {
		t.Fatalf("outcome %+v", out)
	}
	if out := s.Send(t.Context(), hook, testMessage); out.Result != ResultReset || out.Status != 0 {
		t.Errorf("outcome %+v, want no answer", out)
	}
}

// TestStatusOfAnUnusedConnection: a receiver that ends between two requests has not answered
// the second one: it got nothing of it, and cannot be reached again.
func TestStatusOfAnUnusedConnection(t *testing.T) {
	plain := secureServer(t, &tls.Config{})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for scheme, secure := range map[string]*tls.Config{"http": nil, "https": plain.TLS} {
		receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if secure != nil {
			receiver.TLS = secure
			receiver.StartTLS()
		} else {
			receiver.Start()
		}
		t.Cleanup(receiver.Close)
		s := newTestSender(t, Options{Timeout: 20 * time.Second, TLS: &tls.Config{RootCAs: roots}})
		hook := oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h"))
		if out := s.Send(t.Context(), hook, testMessage); out.Status != http.StatusOK {
			t.Fatalf("%s: outcome %+v", scheme, out)
		}
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
			receiver.Close()
			for got.Conn.SetDeadline(time.Time{}) == nil { // until net/http has noticed
				runtime.Gosched()
			}
		}})
		if out := s.Send(ctx, hook, testMessage); out.Status != 0 || out.Result != ResultRefused {
			t.Errorf("%s: outcome %+v, want no answer", scheme, out)
		}
	}
}

// serveRequests is the address of a receiver that reads each request of a connection and answers it so, until answer
// returns false; n counts from 0 on each connection.
func serveRequests(t *testing.T, secure *tls.Config, answer func(n int, request *http.Request, conn net.Conn) bool) string {
	t.Helper()
	return serveConns(t, secure, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for n := 0; ; n++ {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, request.Body)
			if !answer(n, request, conn) {
				return
			}
		}
	})
}

// assembly has several requests in flight at once, so that each has a connection, which is kept.
type assembly struct {
	size    int
	arrived chan struct{}
	goOn    chan struct{}
}

func newAssembly(size int) assembly {
	return assembly{size, make(chan struct{}, size), make(chan struct{})}
}

// arrive waits, at the receiver, until all requests have arrived.
func (a assembly) arrive() {
	a.arrived <- struct{}{}
	<-a.goOn
}

// send sends the requests and waits for their answers.
func (a assembly) send(one func()) {
	var wg sync.WaitGroup
	for range a.size {
		wg.Go(one)
	}
	for range a.size {
		<-a.arrived
	}
	close(a.goOn)
	wg.Wait()
}

// TestIdleConnectionTimesOut: a receiver that tells of its connection's end with a 408 may do so when a
// request is on its way. That is sent on a new connection.
func TestIdleConnectionTimesOut(t *testing.T) {
	answers := []string{"200 OK\r\n", "408 Request Timeout\r\nConnection: close\r\n"}
	address := serveRequests(t, nil, func(n int, _ *http.Request, conn net.Conn) bool {
		_, err := io.WriteString(conn, "HTTP/1.1 "+answers[n]+"Content-Length: 0\r\n\r\n")
		return err == nil && n == 0
	})
	s := newTestSender(t, Options{Timeout: 20 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, "http://"+address+"/h"))
	for range 5 {
		if out := s.Send(t.Context(), hook, testMessage); out.Status != http.StatusOK {
			t.Errorf("outcome %+v", out)
		}
	}
}

// TestUnreadBodyOfTheRequestBefore: a receiver that does not read bodies takes them for the
// beginning of the next request on the connection, and refuses that. The event is not at fault:
// it is sent on a new connection. An event that is refused by a receiver that keeps the connection
// is sent once.
func TestUnreadBodyOfTheRequestBefore(t *testing.T) {
	for _, confused := range []string{
		"400 Bad Request", "405 Method Not Allowed", "501 Not Implemented",
		"414 Request-URI Too Long", "431 Request Header Fields Too Large", // for a body longer than a line may be
	} {
		for _, body := range []int{100, 2 * spareText} {
			address := serveConns(t, nil, func(conn net.Conn) {
				reader := textproto.NewReader(bufio.NewReader(conn))
				for answer := "200 OK\r\n"; ; {
					line, err := reader.ReadLine()
					if err != nil {
						return
					}
					if !strings.HasPrefix(line, "POST ") {
						answer = confused + "\r\nConnection: close\r\n"
					}
					_, _ = reader.ReadMIMEHeader()
					if _, err = io.WriteString(conn, "HTTP/1.1 "+answer+"Content-Length: 0\r\n\r\n"); err != nil || strings.Contains(answer, "close") {
						return
					}
				}
			})
			s := newTestSender(t, Options{Timeout: 20 * time.Second})
			hook := oneHook(t, dispatchtest.HookRow(1, "http://"+address+"/h"))
			m := testMessage
			m.Body = mapping.BodyOf(make([]byte, body))
			for range 6 {
				if out := s.Send(t.Context(), hook, m); out.Status != http.StatusOK {
					t.Errorf("%s, body of %d bytes: outcome %+v", confused, body, out)
				}
			}
		}
	}
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/h", dispatchtest.Status(200), dispatchtest.Status(400), dispatchtest.Status(405))
	s := newTestSender(t, Options{Timeout: 20 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, receiver.URL+"/h"))
	for _, want := range []int{200, 400, 405} {
		if out := s.Send(t.Context(), hook, testMessage); out.Status != want {
			t.Errorf("outcome %+v instead of %d", out, want)
		}
	}
	if n := len(receiver.Wait(t, "/h", 3)); n != 3 {
		t.Errorf("%d requests", n)
	}
}

// TestRestOfTheAnswerBefore: a receiver that sends more than its answer has, such as a body after a
// 204, may do so when the next request is on its way, which takes that for its answer. It is sent on
// a new connection. An answer that is malformed on a new connection, or behind its status line, is not
// asked for twice.
func TestRestOfTheAnswerBefore(t *testing.T) {
	for _, rest := range []string{"ok", `{"ok": true}`, "\r\n", "0\r\n\r\n", strings.Repeat("x", 70<<10)} {
		var requests atomic.Int32
		address := serveRequests(t, nil, func(n int, request *http.Request, conn net.Conn) bool {
			requests.Add(1)
			answer := "HTTP/1.1 204 No Content\r\n"
			switch {
			case request.URL.Path == "/header" && n > 0:
				answer += "malformed\r\n"
			case request.URL.Path != "/header" && n > 0, request.URL.Path == "/malformed":
				answer = rest + answer
			}
			_, err := io.WriteString(conn, answer+"\r\n")
			return err == nil
		})
		s := newTestSender(t, Options{Timeout: 20 * time.Second})
		for range 5 {
			if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "http://"+address+"/h")), testMessage); out.Status != http.StatusNoContent {
				t.Errorf("rest %.20q: outcome %+v", rest, out)
			}
		}
		for _, tt := range []struct {
			path string
			want []Result
		}{
			{"/malformed", []Result{ResultReset}},
			{"/header", []Result{Result2xx, Result2xx}},
		} {
			s.own.close()
			requests.Store(0)
			for _, want := range tt.want {
				if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "http://"+address+tt.path)), testMessage); out.Result != want {
					t.Errorf("%s, rest %.20q: outcome %+v", tt.path, rest, out)
				}
			}
			if n := int(requests.Load()); n != len(tt.want) {
				t.Errorf("%s, rest %.20q: %d requests", tt.path, rest, n)
			}
		}
	}
}

// TestReceiverDiesOfAnEvent: a receiver that ends a kept connection instead of answering may have closed
// it before, so it gets the event once more, on a new connection: not on every connection that is kept.
func TestReceiverDiesOfAnEvent(t *testing.T) {
	const kept = 8
	for name, end := range map[string]func(net.Conn){
		"closed":  func(net.Conn) {},
		"reset":   func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) },
		"no HTTP": func(conn net.Conn) { _, _ = io.WriteString(conn, "died\n") },
	} {
		for _, body := range []int{100, 2 * spareText} {
			var deadly atomic.Bool
			var died atomic.Int32
			all := newAssembly(kept)
			address := serveRequests(t, nil, func(_ int, _ *http.Request, conn net.Conn) bool {
				if deadly.Load() {
					died.Add(1)
					end(conn)
					return false
				}
				all.arrive()
				_, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
				return err == nil
			})
			s := newTestSender(t, Options{Timeout: 20 * time.Second})
			hook := oneHook(t, dispatchtest.HookRow(1, "http://"+address+"/h"))
			m := testMessage
			m.Body = mapping.BodyOf(make([]byte, body))
			all.send(func() { s.Send(t.Context(), hook, m) })
			deadly.Store(true)
			if out := s.Send(t.Context(), hook, m); out.Result != ResultReset || died.Load() != 2 {
				t.Errorf("%s, body of %d bytes: %d requests, outcome %+v", name, body, died.Load(), out)
			}
			s.Close()
		}
	}
}

// TestConfusedAnswerWithoutEnd: an answer that is asked for again is not waited for.
func TestConfusedAnswerWithoutEnd(t *testing.T) {
	over := make(chan struct{})
	answers := []string{"204 No Content\r\n\r\n", "400 Bad Request\r\nConnection: close\r\n\r\nend"}
	address := serveRequests(t, nil, func(n int, _ *http.Request, conn net.Conn) bool {
		_, err := io.WriteString(conn, "HTTP/1.1 "+answers[n])
		if n == 1 {
			<-over
		}
		return err == nil && n == 0
	})
	defer close(over)
	s := newTestSender(t, Options{Timeout: 20 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, "http://"+address+"/h"))
	for range 2 {
		if out := s.Send(t.Context(), hook, testMessage); out.Status != http.StatusNoContent {
			t.Errorf("outcome %+v", out)
		}
	}
}

// TestKeptConnectionsThatAreDead: when kept connections do not answer any more, and new ones do, as after a
// firewall has forgotten them, one attempt shows it: the next ones do not try all the others.
func TestKeptConnectionsThatAreDead(t *testing.T) {
	plain := secureServer(t, &tls.Config{})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for scheme, secure := range map[string]*tls.Config{"http": nil, "https": plain.TLS} {
		const kept = 8
		var dead atomic.Bool
		var old sync.Map // connections from before
		all, over := newAssembly(kept), make(chan struct{})
		address := serveRequests(t, secure, func(_ int, _ *http.Request, conn net.Conn) bool {
			_, isOld := old.Load(conn)
			switch {
			case !dead.Load():
				old.Store(conn, nil)
				all.arrive()
			case isOld:
				<-over
				return false
			}
			_, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n")
			return err == nil
		})
		s := newTestSender(t, Options{Timeout: 2 * time.Second, TLS: &tls.Config{RootCAs: roots}})
		hook := oneHook(t, dispatchtest.HookRow(1, scheme+"://"+address+"/h"))
		all.send(func() { s.Send(t.Context(), hook, testMessage) })
		dead.Store(true)
		for n := range kept + 2 {
			if out := s.Send(t.Context(), hook, testMessage); n > 0 && out.Status != http.StatusNoContent {
				t.Errorf("%s, attempt %d: outcome %+v", scheme, n+1, out)
			}
		}
		close(over)
	}
}
