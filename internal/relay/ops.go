package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hooktail/hooktail/internal/status"
)

// opsServer serves metrics, probes and the page.
type opsServer struct {
	host     string // host part of the configured address
	listener net.Listener
	server   *http.Server
}

// listenOps binds the address, so that an address in use is reported at the start, but
// does not serve yet. Without an address nothing is served. The server's own errors go to
// the log.
func listenOps(ctx context.Context, addr string, log *slog.Logger) (*opsServer, error) {
	if addr == "" {
		return &opsServer{}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on HOOKTAIL_HTTP_ADDR=%s: %w: choose another address, or off", addr, status.Cause(err))
	}
	host, _, _ := net.SplitHostPort(addr) // valid: it was listened on
	return &opsServer{host: host, listener: l, server: &http.Server{
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
	}}, nil
}

// addr returns the address in use: the configured port may have been 0.
func (o *opsServer) addr() string {
	if o.listener == nil {
		return "off"
	}
	return o.listener.Addr().String()
}

// serve answers until close. ready returns the reason why the program is not ready, or
// nil. All requests other than for probes and metrics go to page. hosts are names of the
// server in addition to those of its machine.
func (o *opsServer) serve(gatherer prometheus.Gatherer, ready func() error, hosts []string, page http.Handler) error {
	if o.listener == nil {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, ready()) })
	mux.Handle("/", page)
	o.server.Handler = status.CheckHost(append(hosts[:len(hosts):len(hosts)], o.host), mux)
	if err := o.server.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", o.addr(), err)
	}
	return nil
}

func answer(w http.ResponseWriter, fault error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if fault != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, fault)
		return
	}
	fmt.Fprintln(w, "ok")
}

// close ends the server and its connections.
func (o *opsServer) close() {
	if o.listener == nil {
		return
	}
	_ = o.server.Close()   // no state to save
	_ = o.listener.Close() // in case it was never served
}
