package dispatch

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeadlineEndsEachUse: a context that is used again has its whole time again,
// and one that has ended is not used again.
func TestDeadlineEndsEachUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancel(t.Context())
		var s deadlines
		d := s.begin(parent, time.Second)
		<-time.After(999 * time.Millisecond)
		s.end(d)
		again := s.begin(parent, time.Second)
		if again != d {
			t.Error("a context that has not ended is not used again")
		}
		<-time.After(999 * time.Millisecond)
		if err := again.Err(); err != nil {
			t.Errorf("it has ended before its time: %v", err)
		}
		<-time.After(2 * time.Millisecond)
		if err := context.Cause(again); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after its time: %v", err)
		}
		s.end(again)
		fresh := s.begin(parent, time.Second)
		if fresh == d || fresh.Err() != nil {
			t.Errorf("one that has ended is used again: %v", fresh.Err())
		}
		s.end(fresh)
		other := s.begin(t.Context(), time.Second)
		if other == fresh {
			t.Error("one is used again under another parent")
		}
		stop()
		if err := other.Err(); err != nil {
			t.Errorf("the end of another parent ends it: %v", err)
		}
		s.end(other)
	})
}

// TestAttemptAllocations: what an attempt adds to what net/http does stays little:
// the request, its headers and its body.
func TestAttemptAllocations(t *testing.T) {
	ok := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	s := newTestSender(t, SenderOptions{Transport: transport(func(*http.Request) (*http.Response, error) { return ok, nil })})
	hook := oneHook(t, hookRow(1, "http://x/"))
	m := testMessage
	const most = 8
	if n := testing.AllocsPerRun(1000, func() { s.Send(t.Context(), hook, m) }); n > most {
		t.Errorf("%v allocations an attempt, want %d at most", n, most)
	}
	e := makeEvent(1, 1)
	if n := testing.AllocsPerRun(1000, func() { newLetter(e, 1) }); n > 2 {
		t.Errorf("%v allocations an event, want its letter and one text", n)
	}
}
