package dispatch

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// deadlines are contexts that end after a while, as context.WithTimeout makes them,
// but for many attempts one after the other: hardly any of them takes so long, and
// to make a context anew costs more than all else that an attempt adds to what
// net/http does. It is safe for concurrent use.
type deadlines struct {
	mu    sync.Mutex
	spare []*deadline
}

// spares is how many are kept.
const spares = 256

// deadline is one of them. Its cause is context.DeadlineExceeded when the time has
// passed, and the parent's when that has ended.
type deadline struct {
	context.Context
	parent context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// begin is a context that ends after d. It is to be ended.
func (s *deadlines) begin(parent context.Context, d time.Duration) *deadline {
	if spare := s.take(); spare != nil {
		if spare.parent == parent {
			spare.timer.Reset(d)
			return spare
		}
		spare.cancel(nil)
	}
	ctx, cancel := context.WithCancelCause(parent)
	return &deadline{
		Context: ctx, parent: parent, cancel: cancel,
		timer: time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) }),
	}
}

func (s *deadlines) take() *deadline {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.spare) - 1
	if last < 0 {
		return nil
	}
	d := s.spare[last]
	s.spare = s.spare[:last]
	return d
}

// end is called when nobody uses the context any more.
func (s *deadlines) end(d *deadline) {
	if !d.timer.Stop() || d.Err() != nil || !s.keep(d) {
		d.cancel(nil) // otherwise its parent would hold on to it
	}
}

func (s *deadlines) keep(d *deadline) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) == spares {
		return false
	}
	s.spare = append(s.spare, d)
	return true
}

// clock writes the present second, which many attempts share. It is safe for
// concurrent use.
type clock struct{ latest atomic.Pointer[second] }

type second struct {
	unix int64
	text string
}

// text is the second since 1970 in decimal digits.
func (c *clock) text(now time.Time) string {
	unix := now.Unix()
	if latest := c.latest.Load(); latest != nil && latest.unix == unix {
		return latest.text
	}
	s := &second{unix: unix, text: strconv.FormatInt(unix, 10)}
	c.latest.Store(s)
	return s.text
}
