package relay

import (
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

// overlap is what remembers events for hooks that may be adopted; nil where no hook is
// adopted without having been served before.
func (s *sidecar) overlap() *hook.Overlap {
	if s.cfg.Deliver != config.DeliverAdopted {
		return nil
	}
	return hook.NewOverlap(hook.OverlapOptions{For: s.cfg.AdoptOverlap, MaxBytes: int64(s.cfg.Memory) / wiring.OverlapShare, Log: s.log})
}

// remembered says how it stands with the overlap; nil if there is none.
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
