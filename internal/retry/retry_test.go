package retry_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/internal/retry"
)

var errBroken = errors.New("broken")

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := retry.Sleep(t.Context(), time.Minute); err != nil || time.Since(begun) != time.Minute {
			t.Errorf("slept %s: %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if err := retry.Sleep(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("slept %s: %v", time.Since(begun), err)
		}
		if err := retry.Sleep(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an ended context: %v", err)
		}
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun, calls := time.Now(), 0
		err := retry.Every(t.Context(), time.Second, func() error {
			if calls++; calls == 3 {
				return errBroken
			}
			return nil
		})
		if !errors.Is(err, errBroken) || calls != 3 || time.Since(begun) != 3*time.Second {
			t.Errorf("%d calls in %s: %v", calls, time.Since(begun), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		calls = 0
		retry.Always(ctx, time.Second, func() {
			if calls++; calls == 3 {
				cancel()
			}
		})
		if calls != 3 {
			t.Errorf("%d calls before the context ended, want 3", calls)
		}
	})
}

// TestDo: pauses double up to their bound, patience doubles with each attempt that ran
// out of it, and each failure is told with the pause that follows.
func TestDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pauses, patience []time.Duration
		attempts := 0
		p := retry.Policy{
			First: time.Second, Longest: 3 * time.Second, Patience: time.Minute,
			Failed: func(_ context.Context, _ error, next time.Duration) { pauses = append(pauses, next) },
		}
		err := p.Do(t.Context(), func(ctx context.Context) error {
			deadline, _ := ctx.Deadline()
			patience = append(patience, time.Until(deadline))
			switch attempts++; attempts {
			case 1, 3:
				<-ctx.Done()
				return ctx.Err()
			case 5:
				return nil
			default:
				return errBroken
			}
		})
		if err != nil {
			t.Error(err)
		}
		if want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}; !slices.Equal(pauses, want) {
			t.Errorf("pauses %s, want %s", pauses, want)
		}
		if want := []time.Duration{time.Minute, 2 * time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute}; !slices.Equal(patience, want) {
			t.Errorf("patience %s, want %s", patience, want)
		}
	})
}

func TestDoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		fail := func(context.Context) error { calls++; return errBroken }
		final := retry.Policy{First: time.Second, Patience: time.Minute, Again: func(error) bool { return false }}
		if err := final.Do(t.Context(), fail); !errors.Is(err, errBroken) || calls != 1 {
			t.Errorf("%d attempts: %v", calls, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		calls = 0
		steady := retry.Policy{First: time.Second, Patience: time.Minute}
		if err := steady.Do(ctx, fail); !errors.Is(err, errBroken) || calls != 3 {
			t.Errorf("%d attempts until the context ended: %v", calls, err)
		}
	})
}
