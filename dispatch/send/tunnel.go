package send

import (
	"bytes"
	"context"
	"net"
	"time"
)

// dialFunc is the type of http.Transport's dial functions.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// proxyConn is a connection to a proxy that ends if the proxy does not answer CONNECT in
// time. net/http would wait a minute after the request has ended, and collect a connection
// for each attempt (https://go.dev/issue/28012).
type proxyConn struct {
	net.Conn
	patience time.Duration
	used     bool // something was written
	asked    bool // CONNECT waits for its answer
}

// viaProxy returns a function that dials connections to proxies.
func viaProxy(dial dialFunc, patience time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &proxyConn{Conn: conn, patience: patience}, nil
	}
}

// Write begins the wait if the first bytes are a CONNECT. Nothing is read before them.
func (c *proxyConn) Write(b []byte) (int, error) {
	if !c.used {
		if c.used = true; bytes.HasPrefix(b, []byte("CONNECT ")) {
			c.asked = true
			_ = c.SetReadDeadline(time.Now().Add(c.patience)) // an error is that of the next read
		}
	}
	return c.Conn.Write(b)
}

// Read ends the wait.
func (c *proxyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.asked && n > 0 {
		c.asked = false
		_ = c.SetReadDeadline(time.Time{}) // an error is that of the next read
	}
	return n, err
}
