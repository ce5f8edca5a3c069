package proctest

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Patience bounds every wait of a test. It is long, because only a failing test reaches
// it.
const Patience = 4 * time.Minute

// Output collects the output of a program and lets a test wait for it. It is safe for
// concurrent use.
type Output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

// NewOutput returns an empty Output.
func NewOutput() *Output { return &Output{written: make(chan struct{}, 1)} }

// Write implements io.Writer for the program.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case o.written <- struct{}{}:
	default:
	}
	return len(p), nil
}

// String returns everything written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Find waits until the pattern appears and returns its last group, or the whole match if
// it has none. ended is closed when nothing more will be written. One goroutine at a time
// may wait.
func (o *Output) Find(t testing.TB, pattern string, ended <-chan struct{}) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-o.written:
		case <-ended:
			if re.FindStringSubmatch(o.String()) == nil {
				t.Fatalf("the program ended without writing %q:\n%s", pattern, o)
			}
		case <-timeout.C:
			t.Fatalf("the program has not written %q:\n%s", pattern, o)
		}
	}
}

// WaitFor repeats check until it returns nil; its last error is the reason of a failure. What check
// waits for must last: see Catch.
func WaitFor(t testing.TB, check func() error) {
	t.Helper()
	repeat(t, 50*time.Millisecond, check)
}

// Catch is WaitFor for what may last a tenth of a second.
func Catch(t testing.TB, check func() error) {
	t.Helper()
	repeat(t, 5*time.Millisecond, check)
}

// repeat waits longest at most between two checks.
func repeat(t testing.TB, longest time.Duration, check func() error) {
	t.Helper()
	begun := time.Now()
	for {
		err := check()
		if err == nil {
			return
		}
		waited := time.Since(begun)
		if waited > Patience {
			t.Fatal(err)
		}
		// The checks of parallel tests, which are queries and scrapes, would keep the cores
		// busy: a fifth of the time at most is waited in vain.
		<-time.After(min(max(waited/4, 5*time.Millisecond), longest))
	}
}
