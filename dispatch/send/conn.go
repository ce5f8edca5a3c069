package send

import (
	"bytes"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
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

// requestConn is a connection for requests that remembers the status of the last answer. net/http
// rejects the whole answer if one of its headers is malformed, or the last one has no end,
// which most clients tolerate; but the receiver has decided.
type requestConn struct {
	net.Conn
	asked  atomic.Bool  // something was written, and nothing has been read since
	status atomic.Int32 // of the answer to the request; 0: none yet
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
	}
	return n, err
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
