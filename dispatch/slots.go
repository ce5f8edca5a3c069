package dispatch

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hooktail/hooktail/dispatch/send"
)

// slots bounds the requests in flight of all lanes. Lanes that find no free slot get the
// next ones in the order of their requests, one at a time. Hooks that have timed out
// since their last success have at most half of the slots together, and three quarters
// together with hooks that have not succeeded yet and those whose parked deliveries are
// sent: so there is always room for working hooks. It is safe for concurrent use.
type slots struct {
	most int
	wake func(*lane) // the lane may have a slot; called without the lock

	waiting atomic.Int32 // number of queued claims

	mu    sync.Mutex
	taken [standings]int      // slots in use, by the standing of the lane; guarded by mu
	queue [standings][]*claim // waiting claims, in the order of their requests; guarded by mu
	asked uint64              // number of claims that had to wait; guarded by mu
}

// standing is what is known of a hook.
type standing uint8

const (
	untested standing = iota // has neither succeeded nor timed out
	prompt                   // has succeeded since it timed out
	hanging                  // has timed out since it succeeded
	draining                 // has succeeded; its next deliveries are stored, and have slots while their bodies are read
	standings
)

// claim is a lane's share of the slots. The mu of slots guards it, except as stated.
type claim struct {
	lane     *lane
	spare    bool     // slot left from an attempt that has ended; guarded only by the lane's mu
	taken    int      // slots in use, granted or spare
	standing standing // changed only with the lane's mu held, too
	waits    bool     // it is queued
	granted  bool     // a slot is reserved that it does not use yet
	asked    uint64   // number of its request
}

// acquire needs the lane's mu. It acquires a slot for the lane. If there is none, the lane
// is woken when it gets one.
func (s *slots) acquire(c *claim) bool {
	if c.spare {
		c.spare = false
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.granted:
		c.granted = false
		return true
	case s.isFree(c):
		s.count(c, 1)
		return true
	}
	if !c.waits {
		s.asked++
		c.waits, c.asked = true, s.asked
		s.waiting.Add(1)
		s.queue[c.standing] = append(s.queue[c.standing], c)
	}
	return false
}

// keep needs the lane's mu. It ends an attempt of a lane, with the hook's new standing:
// the lane keeps a spare slot unless others wait for one. It must yield the slot if it
// does not need it for its next attempt.
func (s *slots) keep(c *claim, now standing) {
	if c.spare = (now == untested || now == c.standing) && s.waiting.Load() == 0; !c.spare {
		s.give(c, now)
	}
}

// yield needs the lane's mu. It returns the lane's spare slot, if any.
func (s *slots) yield(c *claim) {
	if c.spare {
		c.spare = false
		s.give(c, untested)
	}
}

// give returns a slot of a lane, with the hook's new standing.
func (s *slots) give(c *claim, now standing) { s.change(c, -1, now) }

// turn needs the lane's mu. It changes the standing of a hook that has succeeded according
// to its next delivery.
func (s *slots) turn(c *claim, drains bool) {
	switch {
	case drains && c.standing == prompt:
		s.change(c, 0, draining)
	case !drains && c.standing == draining:
		s.change(c, 0, prompt)
	}
}

// change takes n slots for the lane, or returns them, with the hook's new standing.
func (s *slots) change(c *claim, n int, now standing) {
	s.mu.Lock()
	s.count(c, n)
	if now != untested && now != c.standing {
		s.taken[c.standing] -= c.taken
		s.taken[now] += c.taken
		if c.waits {
			s.queue[c.standing] = slices.DeleteFunc(s.queue[c.standing], func(other *claim) bool { return other == c })
			s.queue[now] = append(s.queue[now], c)
		}
		c.standing = now
	}
	granted := s.grant()
	s.mu.Unlock()
	for _, l := range granted {
		s.wake(l)
	}
}

// decline returns a granted slot that is not used.
func (s *slots) decline(c *claim) {
	s.mu.Lock()
	unused := c.granted
	c.granted = false
	s.mu.Unlock()
	if unused {
		s.give(c, untested)
	}
}

// grant needs mu. It reserves slots for waiting lanes.
func (s *slots) grant() (granted []*lane) {
	for {
		c := s.first()
		if c == nil {
			return granted
		}
		c.waits, c.granted = false, true
		s.waiting.Add(-1)
		s.count(c, 1)
		granted = append(granted, c.lane)
	}
}

// first needs mu. It removes the next claim that may have a slot from its queue, nil if
// there is none.
func (s *slots) first() (next *claim) {
	for _, queue := range &s.queue {
		if len(queue) > 0 && s.isFree(queue[0]) && (next == nil || queue[0].asked < next.asked) {
			next = queue[0]
		}
	}
	if next != nil {
		queue := &s.queue[next.standing]
		if *queue = (*queue)[1:]; len(*queue) == 0 {
			*queue = nil
		}
	}
	return next
}

// isFree needs mu. It reports whether there is a slot for the lane.
func (s *slots) isFree(c *claim) bool {
	doubtful := s.taken[untested] + s.taken[hanging] + s.taken[draining]
	switch {
	case doubtful+s.taken[prompt] >= s.most:
		return false
	case c.standing == prompt:
		return true
	case c.standing == hanging && s.taken[hanging] >= max(1, s.most/2):
		return false
	default:
		return doubtful < max(1, s.most*3/4)
	}
}

// count needs mu. It takes n slots for the lane, or returns them.
func (s *slots) count(c *claim, n int) {
	s.taken[c.standing] += n
	c.taken += n
}

// standing needs mu. It returns what the attempt shows of the hook; untested:
// nothing.
func (a attempt) standing(e *ending) standing {
	switch {
	case e.made && e.Result == send.ResultTimeout:
		return hanging
	case e.made && e.Result == send.Result2xx && a.window.drains():
		return draining
	case e.made && e.Result == send.Result2xx:
		return prompt
	default:
		return untested
	}
}
