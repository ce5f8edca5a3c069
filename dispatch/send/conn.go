package send

import (
	"errors"
	"net"
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
