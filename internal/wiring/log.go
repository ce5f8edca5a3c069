package wiring

import (
	"log/slog"
	"strings"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/natslog"
)

// OpenLog connects to the servers of the log, with the present content of the variables'
// files. The caller closes it. A *config.Error says that waiting does not help.
func OpenLog(cfg config.Config, log *slog.Logger) (*natslog.Log, error) {
	secure, err := cfg.NATSTLS()
	if err != nil {
		return nil, &config.Error{Err: err}
	}
	options := natslog.Options{
		Slot: cfg.Slot, URL: cfg.NATSURL.Reread().Reveal(), TLS: secure, NKey: strings.TrimSpace(cfg.NATSNKey.Reread().Reveal()),
		Replicas: cfg.NATSReplicas, Topic: Topic(cfg), Log: log,
	}
	if cfg.Role.Reads() && cfg.Role.Sends() {
		options.Echo = int(cfg.Memory) / EchoShare
	}
	if cfg.NATSCreds.Reveal() != "" {
		options.Credentials = func() string { return cfg.NATSCreds.Reread().Reveal() }
	}
	opened, err := natslog.Open(options)
	if refused := explainNATS(cfg, err); refused != nil {
		return nil, refused
	}
	return opened, err
}

// Topic returns how the stream for subscribers is made; nil: events are not published.
func Topic(cfg config.Config) *natslog.TopicOptions {
	if !cfg.Topic {
		return nil
	}
	return &natslog.TopicOptions{Keep: cfg.Keep, Sync: time.Duration(cfg.NATSSync)}
}
