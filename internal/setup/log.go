package setup

import (
	"context"
	"log/slog"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Log makes the stream and the bucket of the log, if the configuration has one and they are
// missing. It returns their name; "" if there is none.
func Log(ctx context.Context, cfg config.Config) (name string, err error) {
	if cfg.NATSURL.Reveal() == "" {
		return "", nil
	}
	log, err := wiring.OpenLog(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer log.Close()
	return log.Names().Stream, log.SetUp(ctx)
}
