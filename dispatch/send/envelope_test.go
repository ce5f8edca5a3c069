package send

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestEnvelopeEndsEachUse: a context that is used again has its whole time again,
// and one that has ended is not used again.
func TestEnvelopeEndsEachUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancel(t.Context())
		var s envelopes
		d := s.begin(parent, time.Second)
		written(d)
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
		written(again)
		s.end(again)
		fresh := s.begin(parent, time.Second)
		if fresh == d || fresh.Err() != nil {
			t.Errorf("one that has ended is used again: %v", fresh.Err())
		}
		written(fresh)
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

// written is what the transport does with an envelope, the body aside.
func written(e *envelope) {
	e.begun = 1
	e.written.Store(1)
}

// TestEnvelopeIsLeftToTheTransport: while a request may still be read, its envelope is
// not used for another one.
func TestEnvelopeIsLeftToTheTransport(t *testing.T) {
	for _, tt := range []struct {
		name           string
		begun, written int32
		back           bool
	}{
		{"written", 1, 1, true},
		{"being written", 1, 0, false},
		{"being written once more", 2, 1, false},
		{"written twice", 2, 2, false}, // it does not come often enough to be worth a thought
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s envelopes
			e := s.begin(t.Context(), time.Minute)
			e.begun = tt.begun
			e.written.Store(tt.written)
			s.end(e)
			if back := len(s.spare) == 1; back != tt.back {
				t.Errorf("it is used again: %t, want %t", back, tt.back)
			}
			if ended := e.Err() != nil; ended == tt.back {
				t.Errorf("its context has ended: %t", ended)
			}
		})
	}
}

// TestBodiesStayApart: many requests at once, in envelopes that are used again, each
// bring the body that belongs to their id, also where connections break.
func TestBodiesStayApart(t *testing.T) {
	var received, wrong atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(r.Header.Get("webhook-id"))
		switch id % 7 {
		case 3:
			w.Header().Set("Connection", "close")
		case 5: // an answer before the body is read
			w.WriteHeader(http.StatusAccepted)
			_ = http.NewResponseController(w).Flush()
		case 6:
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.Close() // no answer at all
			return
		}
		body, err := io.ReadAll(r.Body)
		if err == nil && string(body) != bodyNumber(id) || r.Header.Get("webhook-attempt") != strconv.Itoa(id) {
			wrong.Add(1)
		}
		received.Add(1)
	}))
	defer server.Close()
	s := newTestSender(t, Options{Timeout: 10 * time.Second})
	hook := oneHook(t, dispatchtest.HookRow(1, server.URL))
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 200 {
				id := worker*200 + i
				m := testMessage
				m.ID, m.Attempt, m.Body = strconv.Itoa(id), id, mapping.BodyOf([]byte(bodyNumber(id)))
				s.Send(t.Context(), hook, m)
			}
		})
	}
	group.Wait()
	if wrong.Load() != 0 || received.Load() == 0 {
		t.Errorf("%d of %d requests had another one's body or headers", wrong.Load(), received.Load())
	}
	before := len(s.envelopes.spare)
	for range 2 {
		m := testMessage
		m.ID, m.Attempt = "7", 7
		s.Send(t.Context(), hook, m)
	}
	if len(s.envelopes.spare) != max(before, 1) {
		t.Error("no envelope was used again: the test tells nothing")
	}
}

// bodyNumber differs in every byte between two neighbours, and in length.
func bodyNumber(id int) string { return strings.Repeat(string(rune('a'+id%26)), 1000+id%3*20_000) }

// TestSparesHoldNoBody: a large body is not copied, and no spare envelope keeps it.
func TestSparesHoldNoBody(t *testing.T) {
	s := newTestSender(t, Options{Transport: dispatchtest.Writing(&http.Response{StatusCode: http.StatusOK, Body: http.NoBody})})
	m := testMessage
	m.Body = mapping.BodyOf(make([]byte, 5<<20))
	s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "http://x/")), m)
	e := s.envelopes.spare[0]
	if cap(e.text)+int(e.reader.Size())+e.pieces.Len() > spareText {
		t.Errorf("it has room for %d bytes, reads %d and holds %d", cap(e.text), e.reader.Size(), e.pieces.Len())
	}
}

// TestAttemptAllocations: what an attempt adds to what net/http does stays little:
// no request, no headers, no body.
func TestAttemptAllocations(t *testing.T) {
	ok := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	s := newTestSender(t, Options{Transport: dispatchtest.Writing(ok)})
	hook := oneHook(t, dispatchtest.HookRow(1, "http://x/"))
	m := testMessage
	const most = 2
	if n := testing.AllocsPerRun(1000, func() { s.Send(t.Context(), hook, m) }); n > most {
		t.Errorf("%v allocations an attempt, want %d at most", n, most)
	}
}
