package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// demoReceiver is the other end of a webhook, which can die and come back. It is safe
// for concurrent use.
type demoReceiver struct {
	name    string
	addr    string        // the same after a death
	arrived chan struct{} // has a token after an arrival

	mu       sync.Mutex
	server   *http.Server    // nil: dead
	arrivals []arrival       // each event once
	ids      map[string]bool // of the events that have arrived
	told     func(*arrival)  // of later arrivals; nil: these are kept
}

func startDemoReceiver(ctx context.Context, name string) (*demoReceiver, error) {
	r := &demoReceiver{name: name, addr: "127.0.0.1:0", arrived: make(chan struct{}, 1), ids: map[string]bool{}}
	return r, r.live(ctx)
}

// live makes the receiver answer, again where it was dead.
func (r *demoReceiver) live(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", r.addr)
	if err != nil {
		return fmt.Errorf("listen for %s: %w", r.name, err)
	}
	server := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	r.mu.Lock()
	r.addr, r.server = l.Addr().String(), server
	r.mu.Unlock()
	go func() { _ = server.Serve(l) }() // until die
	return nil
}

// die makes the receiver's address refuse connections.
func (r *demoReceiver) die() {
	r.mu.Lock()
	server := r.server
	r.server = nil
	r.mu.Unlock()
	if server != nil {
		_ = server.Close() // nothing of it is kept
	}
}

func (r *demoReceiver) url() string { return "http://" + r.addr + "/" }

// ServeHTTP notes the request. An event whose answer was lost comes again, under the
// same id.
func (r *demoReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a, err := readArrival(w, req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.body = nil
	r.mu.Lock()
	told, again := r.told, r.ids[a.id]
	r.ids[a.id] = true
	if !again && told == nil {
		r.arrivals = append(r.arrivals, a)
	}
	r.mu.Unlock()
	if !again && told != nil {
		told(&a)
	}
	select {
	case r.arrived <- struct{}{}:
	default:
	}
}

// since is the arrivals from that number on.
func (r *demoReceiver) since(n int) []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals[min(n, len(r.arrivals)):]...)
}

// tell has later arrivals told instead of kept.
func (r *demoReceiver) tell(told func(*arrival)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = told
}
