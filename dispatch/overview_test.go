package dispatch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestHookThatCannotBeSignedIsShownRefused: the state follows the settings, before there is an
// event and after the secret was set right.
func TestHookThatCannotBeSignedIsShownRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var unsignable atomic.Int64
		b := newBench(t, Options{Store: newFakeStore(), Signable: func(hook int64) bool { return hook != unsignable.Load() }}, func(*http.Request) (*http.Response, error) {
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"), dispatchtest.HookRow(2, "http://y/"))
		for _, tt := range []struct {
			when       string
			unsignable int64
			settings   []state.Setting
			want       State
		}{
			{"no secret", 0, nil, StateLive},
			{"a secret that cannot be decrypted", 1, []state.Setting{{Hook: 1}}, StateRefused},
			{"one that can", 0, []state.Setting{{Hook: 1}}, StateLive},
			{"the first one again", 1, []state.Setting{{Hook: 1}}, StateRefused},
			{"removed", 0, nil, StateLive},
		} {
			unsignable.Store(tt.unsignable)
			b.Settings(tt.settings)
			synctest.Wait()
			if got := b.Overview(); got[0].State != tt.want || got[1].State != StateLive {
				t.Errorf("%s: hook 1 is %s, want %s; hook 2 is %s", tt.when, got[0].State, tt.want, got[1].State)
			}
		}
	})
}

// TestStoredBytesAreThoseOfTheParkedRows: the shown size of a hook's parked rows is the
// size that its bound counts, while deliveries are parked, delivered, buried and recounted.
func TestStoredBytesAreThoseOfTheParkedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int64
		status.Store(500)
		store := newFakeStore()
		b := newBench(t, Options{Store: store}, func(*http.Request) (*http.Response, error) {
			return dispatchtest.Answer(int(status.Load())), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		check := func(when string, rows int) {
			t.Helper()
			synctest.Wait()
			want := state.Volume{}
			for _, row := range store.list(1, state.Parked) {
				want.Rows++
				want.Bytes += int64(row.Bytes)
			}
			if got := b.Overview()[0]; got.Bytes != want.Room() || got.Parked != rows || int(want.Rows) != rows {
				t.Errorf("%s: %d rows of %d bytes are shown, the store has %d of %d, want %d", when, got.Parked, got.Bytes, want.Rows, want.Room(), rows)
			}
		}
		check("at the start", 0)
		for n := range 5 {
			b.enqueue(t, 1, n, n)
		}
		<-time.After(10 * time.Second)
		check("parked", 5)
		if err := b.Recount(t.Context(), store.backlogs); err != nil {
			t.Fatal(err)
		}
		check("counted anew", 5)
		status.Store(410)
		b.Retry(1)
		<-time.After(10 * time.Second)
		check("buried", 0)
		status.Store(500)
		b.Retry(1)
		b.enqueue(t, 1, 6, 6)
		<-time.After(10 * time.Second)
		check("parked once more", 1)
		status.Store(200)
		b.Retry(1)
		<-time.After(10 * time.Second)
		check("delivered", 0)
	})
}
