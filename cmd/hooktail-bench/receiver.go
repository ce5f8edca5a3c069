package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// receiver answers 200 to every request, as cheaply as a Go program can: it reads
// the head, finds the first id in the body, and skips the rest. It is the same for all
// measured programs. A request to /N is for hook N.
type receiver struct {
	listener net.Listener
	wg       sync.WaitGroup
	current  atomic.Pointer[tally]
	delay    atomic.Int64 // ns before each answer
}

// listen starts a receiver; the caller closes it.
func listen(address string) (*receiver, error) {
	listener, err := net.Listen("tcp", address) //nolint:noctx // it ends with close
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	r := &receiver{listener: listener}
	r.current.Store(newTally(0, 0, 0))
	r.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() {
				defer conn.Close()
				_ = r.serve(conn) // a sender that closes the connection is no fault of the receiver
			})
		}
	})
	return r, nil
}

// slow lets the receiver take so long for each request from now on.
func (r *receiver) slow(delay time.Duration) { r.delay.Store(int64(delay)) }

// close ends the receiver. Its connections end with their senders.
func (r *receiver) close() { _ = r.listener.Close() } // nobody is left to be told

func (r *receiver) address() string { return r.listener.Addr().String() }

// url returns the URL of hook n.
func (r *receiver) url(hook int) string { return fmt.Sprintf("http://%s/%d", r.address(), hook) }

// expect counts, from now on, the arrivals of n rows, of which first is the lowest id, at
// that many hooks.
func (r *receiver) expect(hooks int, first int64, n int) *tally {
	t := newTally(hooks, first, n)
	r.current.Store(t)
	return t
}

var (
	answer        = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	contentLength = []byte("Content-Length: ")
	idKey         = []byte(`"id": `)
)

// peeked is the part of a body that is examined, in bytes.
const peeked = 256

func (r *receiver) serve(conn net.Conn) error {
	in := bufio.NewReaderSize(conn, 32<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		hook, ok := number(line[len("POST /"):])
		if !ok {
			return errors.New("not a hook's path")
		}
		length := int64(-1)
		for len(line) > 2 {
			if line, err = in.ReadSlice('\n'); err != nil {
				return err
			}
			if bytes.HasPrefix(line, contentLength) {
				length, _ = number(line[len(contentLength):])
			}
		}
		head, err := in.Peek(int(min(length, peeked)))
		if err != nil {
			return err
		}
		id := int64(-1)
		if _, after, found := bytes.Cut(head, idKey); found {
			id, _ = number(after)
		}
		if _, err := in.Discard(int(length)); err != nil {
			return err
		}
		r.current.Load().add(int(hook), id)
		if delay := r.delay.Load(); delay > 0 {
			<-time.After(time.Duration(delay))
		}
		if _, err := conn.Write(answer); err != nil {
			return err
		}
	}
}

// number parses the digits at the beginning of the text.
func number(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+int64(c-'0'), true
	}
	return n, ok
}

// tally counts expected rows that have arrived. It is safe for concurrent use.
type tally struct {
	hooks, n int
	first    int64

	seen    []atomic.Int64 // by hook and row: first arrival, in ns since began
	left    atomic.Int64   // rows that have not arrived
	again   atomic.Int64   // repeated arrivals
	others  atomic.Int64   // unexpected arrivals
	began   time.Time
	started chan struct{} // closed with the first
	done    chan struct{} // closed with the last
	once    sync.Once
}

func newTally(hooks int, first int64, n int) *tally {
	t := &tally{
		hooks: hooks, n: n, first: first, seen: make([]atomic.Int64, hooks*n), began: time.Now(),
		started: make(chan struct{}), done: make(chan struct{}),
	}
	t.left.Store(int64(hooks * n))
	return t
}

func (t *tally) add(hook int, id int64) {
	at := id - t.first
	if at < 0 || at >= int64(t.n) || hook < 1 || hook > t.hooks {
		t.others.Add(1)
		return
	}
	if !t.seen[(hook-1)*t.n+int(at)].CompareAndSwap(0, int64(time.Since(t.began))) {
		t.again.Add(1)
		return
	}
	t.once.Do(func() { close(t.started) })
	if t.left.Add(-1) == 0 {
		close(t.done)
	}
}

// span returns the first and the last arrival. All must have arrived.
func (t *tally) span() (first, last time.Time) {
	least, most := t.seen[0].Load(), t.seen[0].Load()
	for i := range t.seen {
		least, most = min(least, t.seen[i].Load()), max(most, t.seen[i].Load())
	}
	return t.began.Add(time.Duration(least)), t.began.Add(time.Duration(most))
}

// arrived returns when row i arrived at hook 1.
func (t *tally) arrived(i int) time.Time { return t.began.Add(time.Duration(t.seen[i].Load())) }

// since returns how long after those times the rows arrived at hook 1.
func (t *tally) since(times []time.Time) []time.Duration {
	took := make([]time.Duration, len(times))
	for i, at := range times {
		took[i] = t.arrived(i).Sub(at)
	}
	return took
}

// String describes the progress.
func (t *tally) String() string {
	return fmt.Sprintf("%d of %d arrived", int64(len(t.seen))-t.left.Load(), len(t.seen))
}
