package dispatch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestNothingBeginsWithoutPermit: requests in flight end, and no attempt follows.
func TestNothingBeginsWithoutPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var permitted atomic.Bool
		permitted.Store(true)
		answer := make(chan struct{})
		var begun atomic.Int32
		b := newBench(t, Options{Concurrency: 2, Permit: permitted.Load}, func(*http.Request) (*http.Response, error) {
			begun.Add(1)
			<-answer
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := range 4 {
			b.enqueue(t, 1, n, n)
		}
		synctest.Wait()
		before := begun.Load()
		permitted.Store(false)
		close(answer)
		b.enqueue(t, 1, 4, 4)
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if begun, done := begun.Load(), len(b.finished()); before == 0 || begun != before || done != int(before) {
			t.Errorf("%d attempts begun, %d deliveries done, of %d that were in flight", begun, done, before)
		}
		b.Halt()
	})
}

// TestHaltWritesNothing: once Halt is called, the store may belong to another instance.
func TestHaltWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		store.takes = time.Hour
		b := newBench(t, Options{Concurrency: 2, Store: store}, func(*http.Request) (*http.Response, error) {
			return dispatchtest.Answer(500), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		b.enqueue(t, 1, 0, 7)
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble; the store is at it by then
		began := time.Now()
		b.Halt()
		if took := time.Since(began); took > 0 {
			t.Errorf("Halt took %s", took)
		}
		if n := len(store.rows); n != 0 || store.applied == 0 {
			t.Errorf("%d rows were written, in %d batches", n, store.applied)
		}
		if n := len(b.finished()); n != 0 {
			t.Errorf("%d done", n)
		}
	})
}
