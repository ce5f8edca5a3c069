package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// demoReceiver is the other end: it prints each request that arrives.
type demoReceiver struct {
	listener net.Listener
	server   *http.Server

	mu      sync.Mutex
	out     io.Writer
	actions map[string]int // requests by action, all hooks
	arrived chan struct{}  // a token when something has arrived
}

func startDemoReceiver(ctx context.Context, out io.Writer) (*demoReceiver, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the demo's receiver: %w", err)
	}
	r := &demoReceiver{
		listener: l,
		out:      out,
		actions:  map[string]int{},
		arrived:  make(chan struct{}, 1),
	}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(l) }() // until close
	return r, nil
}

func (r *demoReceiver) url() string { return "http://" + r.listener.Addr().String() + "/hook/" }

func (r *demoReceiver) close() { _ = r.server.Close() } // nothing of it is kept

// ServeHTTP prints one line per request: when, which hook, what, how late.
func (r *demoReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a, err := readArrival(w, req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	hook := strings.TrimPrefix(req.URL.Path, "/hook/")
	r.mu.Lock()
	fmt.Fprintf(r.out, "  %s  hook %-3s %-20s %-42s %8s  %s\n",
		a.at.Format("15:04:05.000"), hook, a.parsed.Action, a.parsed.about(), a.since(), a.id)
	r.actions[a.parsed.Action]++
	r.mu.Unlock()
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// print writes a line between those of the requests.
func (r *demoReceiver) print(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, format, args...)
}

// total is the number of requests that have arrived.
func (r *demoReceiver) total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, requests := range r.actions {
		n += requests
	}
	return n
}

// seen is the number of requests with the action.
func (r *demoReceiver) seen(action string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.actions[action]
}

// redactedURL shows where a URL points, without credentials and query.
func redactedURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "***"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
