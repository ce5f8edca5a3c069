package relay

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hooktail/hooktail/internal/status"
)

// listenOps binds the address, so that an address in use is reported at the start, but
// does not serve yet. Without an address it returns nil.
func listenOps(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on HOOKTAIL_HTTP_ADDR=%s: %w: choose another address, or off", addr, status.Cause(err))
	}
	return l, nil
}

// newOps returns the server of metrics, probes and the page. Its own errors go to the log.
func (s *sidecar) newOps() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.role.ready()) })
	mux.Handle("/", status.Handler(status.Options{Program: s.board, Token: s.cfg.AdminToken.Reveal(), Log: s.log}))
	host, _, _ := net.SplitHostPort(s.cfg.HTTPAddr) // valid: it is listened on
	return &http.Server{
		Handler:           status.CheckHost(append(slices.Clone(s.cfg.HTTPHosts), host), mux),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError),
	}
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
