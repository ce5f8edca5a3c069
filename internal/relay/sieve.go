package relay

import (
	"context"
	"log/slog"
	"sync"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/logging"
)

// sieve counts the effects of hooks' filters.
type sieve struct {
	metrics *dispatch.Metrics
	log     *slog.Logger
	failed  logging.Repeat

	mu      sync.Mutex
	leftOut map[int64]uint64 // deliveries, by hook; guarded by mu
}

// of returns how many deliveries the hook's filter has left out in this term. A nil *sieve,
// that of a sender, has left out none: filters are the reader's.
func (s *sieve) of(hook int64) uint64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leftOut[hook]
}

// sifted is the sieve for the targets of one event.
type sifted struct {
	*sieve
	wanted *wanted
}

// LeftOut counts the delivery, and releases the position. Deliveries that are only kept
// would not have been sent.
func (s sifted) LeftOut(t hook.Target) {
	if t.Kept {
		return
	}
	defer s.wanted.delivered() // last: the slot must not be ahead of the number that people see
	s.metrics.Filtered(t.Hook, t.Action)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leftOut[t.Hook]++
}

// Failed counts the failure, and logs one from time to time, without the error, which may
// quote the body.
func (s sifted) Failed(t hook.Target, _ error) {
	s.metrics.FilterFailed(t.Hook)
	s.failed.Failed(context.Background(), s.log, slog.LevelWarn, "Filter of a webhook failed: the event is delivered",
		slog.Int64("hook", t.Hook), slog.String("action", string(t.Action)), slog.String("event", s.wanted.event.ID.String()), slog.String("remedy", "hooktail hooks test shows why"))
}
