package relay

import (
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

// newOverlap returns the memory of events for hooks that may be adopted; nil if hooks
// are served without being adopted.
func newOverlap(cfg config.Config, log *slog.Logger) *hook.Overlap {
	if cfg.Deliver != config.DeliverAdopted {
		return nil
	}
	return hook.NewOverlap(hook.OverlapOptions{For: cfg.AdoptOverlap, MaxBytes: int64(cfg.Memory) / wiring.OverlapShare, Log: log})
}

// remembered describes the overlap; nil if there is none.
func (s *shown) remembered(cfg config.Config) *status.Overlap {
	if s.overlap == nil {
		return nil
	}
	now := time.Now()
	return &status.Overlap{
		Seconds: cfg.AdoptOverlap.Seconds(),
		Whole:   now.Sub(s.began) >= cfg.AdoptOverlap && s.overlap.Whole(now),
	}
}
