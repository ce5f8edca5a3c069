package dispatchtest

import (
	"io"
	"net"
	"net/http"
	"time"
)

// Step is the answer to one request.
type Step struct {
	status int // 0: no answer
	play   func(http.ResponseWriter, *http.Request)
}

// Status answers with the status and a short body.
func Status(code int) Step {
	return Step{code, func(w http.ResponseWriter, _ *http.Request) { answer(w, code) }}
}

// RetryAfter answers with the status and a Retry-After header.
func RetryAfter(code int, value string) Step { return withHeader(code, "Retry-After", value) }

// Redirect answers with the status and a Location header.
func Redirect(code int, location string) Step { return withHeader(code, "Location", location) }

func withHeader(code int, name, value string) Step {
	return Step{code, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(name, value)
		answer(w, code)
	}}
}

// Delay waits before the step, unless the sender has gone.
func Delay(d time.Duration, then Step) Step {
	return Step{then.status, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			then.play(w, r)
		case <-r.Context().Done():
		}
	}}
}

// Hang does not answer until the sender has gone.
func Hang() Step {
	return Step{0, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
}

// Reset resets the connection.
func Reset() Step {
	return hijack(0, func(conn net.Conn) {
		_ = conn.(*net.TCPConn).SetLinger(0) // otherwise the connection would be closed normally
	})
}

// Raw writes bytes that need not be HTTP, and closes the connection.
func Raw(bytes string) Step {
	return hijack(0, func(conn net.Conn) {
		_, _ = io.WriteString(conn, bytes) // the sender may have gone
	})
}

// SwitchProtocol answers that the connection speaks another protocol from now on, and
// keeps it open until the sender has gone.
func SwitchProtocol() Step {
	return keptOpen(http.StatusSwitchingProtocols, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
}

// Unasked answers 204 followed by text that does not belong to the answer, and keeps the
// connection open until the sender has gone.
func Unasked(text string) Step {
	return keptOpen(http.StatusNoContent, "HTTP/1.1 204 No Content\r\n\r\n"+text)
}

func keptOpen(status int, text string) Step {
	return hijack(status, func(conn net.Conn) {
		_, _ = io.WriteString(conn, text) // the sender may have gone
		_, _ = io.Copy(io.Discard, conn)
	})
}

// SlowBody answers with the status immediately, and then with one byte per interval until
// the sender has gone.
func SlowBody(code int, every time.Duration) Step {
	return Step{code, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			if !write(w, []byte(".")) {
				return
			}
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	}}
}

// SlowHeader writes an endless header, one byte per interval.
func SlowHeader(every time.Duration) Step {
	return hijack(0, func(conn net.Conn) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Slow: ")
		for err == nil {
			<-tick.C
			_, err = io.WriteString(conn, ".")
		}
	})
}

// EndlessBody answers with the status and an endless body.
func EndlessBody(code int) Step {
	return Step{code, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		chunk := make([]byte, 32<<10)
		for r.Context().Err() == nil && write(w, chunk) {
		}
	}}
}

func answer(w http.ResponseWriter, code int) {
	w.WriteHeader(code)
	_, _ = w.Write([]byte("ok")) // the sender may have gone
}

// write reports whether the sender still reads.
func write(w http.ResponseWriter, b []byte) bool {
	if _, err := w.Write(b); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// hijack uses the connection itself, and closes it.
func hijack(status int, use func(net.Conn)) Step {
	return Step{status, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // an HTTP/1.1 server supports it
		}
		defer conn.Close()
		use(conn)
	}}
}
