package relay

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/internal/retry"
)

// TestOwnLockIsNoStandby: while the server may still have the session of a lock that went
// silent, whoever holds the lock is not known to be another instance: nobody may lead, and
// this one is not ready.
func TestOwnLockIsNoStandby(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRole(prometheus.NewRegistry())
		if !r.standsBy() || r.ready() != nil {
			t.Errorf("a standby that has lost no lock: %v", r.ready())
		}
		r.losesLock(time.Now())
		if r.standsBy() || !errors.Is(r.ready(), errOwnLock) {
			t.Errorf("just after the loss: %v", r.ready())
		}
		_ = retry.Sleep(t.Context(), lockTimeout+time.Second)
		if !r.standsBy() || r.ready() != nil {
			t.Errorf("when the lock has lapsed: %v", r.ready())
		}
	})
}
