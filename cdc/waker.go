package cdc

import (
	"net"
	"sync"
	"time"
)

// waker interrupts a reader that waits for the socket, from any goroutine.
type waker struct {
	mu   sync.Mutex
	conn net.Conn // nil while nobody reads
}

func (w *waker) attach(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
}

func (w *waker) detach() { w.attach(nil) }

// now makes the present or next read of the connection return immediately.
func (w *waker) now() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if the connection is closed, and then reads end anyway
	}
}
