package dispatchtest

import (
	"net"
	"net/http"
	"time"
)

// Step is how one request is answered.
type Step struct {
	status int // 0: not at all
	play   func(http.ResponseWriter, *http.Request)
}

// Status answers with the status and a short body.
func Status(code int) Step {
	return Step{code, func(w http.ResponseWriter, _ *http.Request) { answer(w, code) }}
}

// RetryAfter answers with the status and a Retry-After of that value.
func RetryAfter(code int, value string) Step {
	return Step{code, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", value)
		answer(w, code)
	}}
}

// Redirect answers with the status and that Location.
func Redirect(code int, location string) Step {
	return Step{code, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		answer(w, code)
	}}
}

// Delay plays the step after that time, unless the sender has gone.
func Delay(d time.Duration, then Step) Step {
	return Step{then.status, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			then.play(w, r)
		case <-r.Context().Done():
		}
	}}
}

// Hang does not answer, until the sender has gone.
func Hang() Step {
	return Step{0, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}
}

// Reset breaks the connection off.
func Reset() Step {
	return Step{0, func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, func(conn net.Conn) {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // without it the connection would end in order
			}
		})
	}}
}

// Raw writes the bytes, which need not be HTTP, and closes the connection.
func Raw(bytes string) Step {
	return Step{0, func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, func(conn net.Conn) {
			_, _ = conn.Write([]byte(bytes)) // the sender may have gone
		})
	}}
}

// SlowBody answers with the status at once, and with a byte each time that long,
// until the sender has gone.
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

// SlowHeader writes the answer's header a byte at a time, without end.
func SlowHeader(every time.Duration) Step {
	return Step{0, func(w http.ResponseWriter, _ *http.Request) {
		hijack(w, func(conn net.Conn) {
			tick := time.NewTicker(every)
			defer tick.Stop()
			_, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nX-Slow: "))
			for err == nil {
				<-tick.C
				_, err = conn.Write([]byte("."))
			}
		})
	}}
}

// EndlessBody answers with the status and as much as the sender will take.
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

// write reports whether the sender still takes something.
func write(w http.ResponseWriter, b []byte) bool {
	if _, err := w.Write(b); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

func hijack(w http.ResponseWriter, use func(net.Conn)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // an HTTP/1.1 server can always
	}
	use(conn)
	_ = conn.Close()
}
