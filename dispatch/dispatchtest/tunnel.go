package dispatchtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
)

// Tunnel answers a CONNECT as a proxy does: it forwards in both directions between the
// client and the address until one side closes. It answers 502 if the address is
// unreachable.
func Tunnel(ctx context.Context, w http.ResponseWriter, address string) {
	upstream, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer upstream.Close()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // an HTTP/1.1 server supports it
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(upstream, conn); upstream.Close() })
	_, _ = io.Copy(conn, upstream)
	conn.Close()
	wg.Wait()
}
