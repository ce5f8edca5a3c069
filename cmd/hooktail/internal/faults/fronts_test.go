//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fronts is a receiver with an address for each instance of hooktail, which is
// given to it as its proxy: so it knows who sends. It keeps what arrived and
// what no two instances may do. Every request takes a while.
type fronts struct {
	takes time.Duration

	mu       sync.Mutex
	held     chan struct{} // until it is closed no request is answered
	inFlight map[*arrival]net.Conn
	arrivals []*arrival
	overlaps []string
	moved    chan struct{} // closed with the next arrival
}

// arrival is one request for an annotation.
type arrival struct {
	instance         string
	task, annotation int64
	event            string
	at               time.Time
}

func newFronts(takes time.Duration) *fronts {
	f := &fronts{takes: takes, held: make(chan struct{}), inFlight: make(map[*arrival]net.Conn), moved: make(chan struct{})}
	f.answer()
	return f
}

type connKey struct{}

// proxy is the address that the instance reaches the receiver by.
func (f *fronts) proxy(t testing.TB, instance string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, instance) }))
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, conn)
	}
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func (f *fronts) serve(w http.ResponseWriter, r *http.Request, instance string) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed, and has sent nothing
	}
	var body struct {
		Annotation struct{ ID, Task int64 }
	}
	if err := json.Unmarshal(text, &body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := &arrival{
		instance: instance, task: body.Annotation.Task, annotation: body.Annotation.ID, event: r.Header.Get("webhook-id"), at: time.Now(),
	}
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	held := f.note(a, conn)
	defer f.left(a)
	select {
	case <-held:
	case <-r.Context().Done():
		return
	}
	select {
	case <-time.After(f.takes):
	case <-r.Context().Done():
	}
}

// hold lets no request be answered before answer.
func (f *fronts) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = make(chan struct{})
}

func (f *fronts) answer() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.held)
}

// note takes the request down. An attempt that another instance has not ended is
// one whose connection it has not closed.
func (f *fronts) note(a *arrival, conn net.Conn) (held <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for other, conn := range f.inFlight {
		if other.instance != a.instance && isOpen(conn) {
			f.overlaps = append(f.overlaps, fmt.Sprintf("annotation %d came from %s while %s was sending %d",
				a.annotation, a.instance, other.instance, other.annotation))
		}
	}
	f.inFlight[a] = conn
	f.arrivals = append(f.arrivals, a)
	close(f.moved)
	f.moved = make(chan struct{})
	return f.held
}

func (f *fronts) left(a *arrival) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.inFlight, a)
}

// isOpen asks the kernel, which knows of the other side's end before the server's
// goroutine has been told.
func isOpen(conn net.Conn) bool {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return false
	}
	open := false
	err = raw.Control(func(fd uintptr) {
		var b [1]byte
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		open = n > 0 || err == syscall.EAGAIN
	})
	return err == nil && open
}

// all is what has arrived so far.
func (f *fronts) all() []*arrival {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*arrival(nil), f.arrivals...)
}

// count is how many have arrived so far.
func (f *fronts) count() int { return len(f.all()) }

// first waits for the first arrival from the instance after the n-th of all.
func (f *fronts) first(t testing.TB, instance string, n int) *arrival {
	t.Helper()
	return f.wait(t, "an event from "+instance, func(all []*arrival) *arrival {
		for _, a := range all[n:] {
			if a.instance == instance {
				return a
			}
		}
		return nil
	})
}

func (f *fronts) wait(t testing.TB, what string, find func([]*arrival) *arrival) *arrival {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		f.mu.Lock()
		moved := f.moved
		f.mu.Unlock()
		if a := find(f.all()); a != nil {
			return a
		}
		select {
		case <-moved:
		case <-timeout.C:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

// check holds what arrived against what was committed: for each task, all of it
// in the order of the commits, an annotation under one event id, and never two
// senders at once. An event may come again, with those that follow it.
func (f *fronts) check(t testing.TB, committed map[int64][]int64) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, overlap := range f.overlaps {
		t.Errorf("two senders at once: %s", overlap)
	}
	events, next, again := make(map[int64]string), make(map[int64]int), 0
	for _, a := range f.arrivals {
		known, seen := events[a.annotation]
		switch want := committed[a.task]; {
		case seen && known != a.event:
			t.Errorf("annotation %d came as event %s and as %s", a.annotation, known, a.event)
		case seen:
			again++
		case next[a.task] == len(want) || want[next[a.task]] != a.annotation:
			t.Errorf("task %d: annotation %d came from %s in the place of the one that follows %d others", a.task, a.annotation, a.instance, next[a.task])
		default:
			next[a.task]++
		}
		events[a.annotation] = a.event
	}
	for task, want := range committed {
		if next[task] != len(want) {
			t.Errorf("task %d: %d of %d annotations arrived", task, next[task], len(want))
		}
	}
	t.Logf("%d requests, %d of them repeated", len(f.arrivals), again)
}
