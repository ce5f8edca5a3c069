package send

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// answerable is a connection whose writes do not fail because the receiver has closed it.
// A receiver may answer a large request before it has read the body, and close the
// connection; net/http would return the write's error in place of the answer
// (https://go.dev/issue/11745). Without an answer, reading fails at once.
type answerable struct{ net.Conn }

// Write discards what a closed connection does not accept.
func (c answerable) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return len(b), nil
	}
	return n, err
}

// requestConn is a connection for requests that remembers the status of the last answer, and when it came. net/http
// rejects the whole answer if one of its headers is malformed, or the last one has no end,
// which most clients tolerate; but the receiver has decided.
type requestConn struct {
	net.Conn
	dialer *dialer
	asked  atomic.Bool  // something was written, and nothing has been read since
	status atomic.Int32 // of the answer to the request; 0: none yet
	heard  atomic.Int64 // when the connection was made, or an answer last began, in ns
}

func newRequestConn(conn net.Conn, d *dialer) *requestConn {
	c := &requestConn{Conn: conn, dialer: d}
	c.heard.Store(time.Now().UnixNano())
	return c
}

// Write begins a request, or continues one.
func (c *requestConn) Write(b []byte) (int, error) {
	c.asked.Store(true)
	return c.Conn.Write(b)
}

// Read looks at the beginning of each answer.
func (c *requestConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.asked.Swap(false) {
		c.status.Store(int32(statusOf(b[:n])))
		c.heard.Store(time.Now().UnixNano())
	}
	return n, err
}

// isSilent reports whether another kept connection to the address got no answer since this one
// was heard: if a firewall has forgotten the one, or the machine was replaced, the same is true of the other.
func (c *requestConn) isSilent(now time.Time) bool {
	return c.dialer.silent.failedSince(addrPortOf(c), c.heard.Load(), now)
}

// statusOf returns the status in an answer's status line (RFC 9112, section 4), 0 if there
// is no such line.
func statusOf(answer []byte) int {
	const version, code = len("1 "), len("200")
	rest, ok := bytes.CutPrefix(answer, []byte("HTTP/1."))
	if !ok || len(rest) <= version+code || rest[version+code] > ' ' {
		return 0
	}
	status, err := strconv.Atoi(string(rest[version : version+code]))
	if err != nil || status < 200 { // a preliminary answer
		return 0
	}
	return status
}
