package wiring

import (
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/natslog"
)

// OpenLog connects to the servers of the log. The caller closes it.
func OpenLog(cfg config.Config, log *slog.Logger) (*natslog.Log, error) {
	options := natslog.Options{Slot: cfg.Slot, URL: cfg.NATSURL.Reread().Reveal(), Replicas: cfg.NATSReplicas, Log: log}
	if cfg.Topic {
		options.Topic = &natslog.TopicOptions{Keep: cfg.Keep, Sync: time.Duration(cfg.NATSSync)}
	}
	return natslog.Open(options)
}
