package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/internal/receiver"
)

// endpoint receives webhooks at an address that can stop answering and come back. It is
// safe for concurrent use.
type endpoint struct {
	name string
	addr string // the same after close and listen

	serving sync.WaitGroup // the goroutine that serves

	mu       sync.Mutex              // guards addr and what follows
	server   *http.Server            // nil: closed
	arrivals []receiver.Arrival      // each event once
	ids      map[string]bool         // ids of the events that have arrived
	watcher  func(*receiver.Arrival) // gets later arrivals; nil: they are kept
}

func startEndpoint(ctx context.Context, name string) (*endpoint, error) {
	e := &endpoint{name: name, addr: "127.0.0.1:0", ids: map[string]bool{}}
	return e, e.listen(ctx)
}

// listen makes the address answer.
func (e *endpoint) listen(ctx context.Context) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", e.addr)
	if err != nil {
		return fmt.Errorf("listen for %s: %w", e.name, err)
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: 5 * time.Second}
	e.mu.Lock()
	e.addr, e.server = l.Addr().String(), server
	e.mu.Unlock()
	e.serving.Go(func() { _ = server.Serve(l) }) // until close
	return nil
}

// close makes the address refuse connections, until listen.
func (e *endpoint) close() {
	e.mu.Lock()
	server := e.server
	e.server = nil
	e.mu.Unlock()
	if server != nil {
		_ = server.Close() // open requests are cut
	}
	e.serving.Wait()
}

func (e *endpoint) url() string { return "http://" + e.addr + "/" }

// ServeHTTP records the event, once: if the answer is lost, the event comes again under
// the same id.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a, err := receiver.Read(w, req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.Body = nil
	e.mu.Lock()
	watcher, again := e.watcher, e.ids[a.ID]
	e.ids[a.ID] = true
	if !again && watcher == nil {
		e.arrivals = append(e.arrivals, a)
	}
	e.mu.Unlock()
	if !again && watcher != nil {
		watcher(&a)
	}
}

func (e *endpoint) since(n int) []receiver.Arrival {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.arrivals[min(n, len(e.arrivals)):])
}

// watch hands later arrivals over instead of keeping them.
func (e *endpoint) watch(watcher func(*receiver.Arrival)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.watcher = watcher
}
