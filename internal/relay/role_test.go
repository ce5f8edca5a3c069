package relay

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

// TestReadinessNamesARefusalOnce: the reason of a connection that failed with and without TLS
// is said in one line.
func TestReadinessNamesARefusalOnce(t *testing.T) {
	t.Parallel()
	_, err := pgconn.Connect(t.Context(), "postgres://jane@127.0.0.1:1/labels?sslmode=prefer") // nobody listens there
	r := newRole(prometheus.NewRegistry())
	r.waits(errors.Join(fmt.Errorf("read settings: %w", err), fmt.Errorf("read the hooks: %w", err)))
	said := r.ready()
	if text := said.Error(); strings.Count(text, "refused") != 2 || strings.Count(text, "\n") != 1 || !strings.Contains(text, "read settings: ") {
		t.Errorf("said %q", text)
	}
	if !errors.Is(said, err) {
		t.Errorf("%q has lost its kind", said)
	}
}
