package relay

import (
	"context"
	"log/slog"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/logging"
)

// sieve counts the effects of hooks' filters.
type sieve struct {
	metrics *dispatch.Metrics
	log     *slog.Logger
	failed  logging.Repeat
}

// sifted is the sieve for the targets of one event.
type sifted struct {
	*sieve
	of *wanted
}

// LeftOut counts the delivery, and releases the position. Deliveries that are only kept
// would not have been sent.
func (s sifted) LeftOut(t hook.Target) {
	if t.Kept {
		return
	}
	s.metrics.Filtered(t.Hook, t.Action)
	s.of.delivered()
}

// Failed counts the failure, and logs one from time to time, without the error, which may
// quote the body.
func (s sifted) Failed(t hook.Target, _ error) {
	s.metrics.FilterFailed(t.Hook)
	s.failed.Failed(context.Background(), s.log, slog.LevelWarn, "Filter of a webhook failed: the event is delivered",
		slog.Int64("hook", t.Hook), slog.String("action", string(t.Action)), slog.String("event", s.of.event.ID.String()), slog.String("remedy", "hooktail hooks test shows why"))
}
