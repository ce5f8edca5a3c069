package replay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace{every: 10 * time.Millisecond}
		begun := time.Now()
		wait := func(want time.Duration) {
			t.Helper()
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(begun); got != want {
				t.Errorf("it is %s, want %s", got, want)
			}
		}
		wait(0)
		wait(10 * time.Millisecond)
		time.Sleep(4 * time.Millisecond) //nolint:forbidigo // of the bubble
		wait(20 * time.Millisecond)
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // of the bubble
		wait(120 * time.Millisecond)
		wait(130 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if err := p.wait(ctx); !errors.Is(err, context.Canceled) || time.Since(begun) != 131*time.Millisecond {
			t.Errorf("error %v after %s", err, time.Since(begun))
		}
	})
}
