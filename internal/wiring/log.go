package wiring

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
)

// OpenLog connects to the servers of the log, with the present content of the variables'
// files. The caller closes it. A *config.Error says that waiting does not help.
func OpenLog(cfg config.Config, log *slog.Logger) (*natslog.Log, error) {
	secure := func() (*tls.Config, error) {
		now := cfg
		now.NATSCA, now.NATSCert, now.NATSKey = cfg.NATSCA.Reread(), cfg.NATSCert.Reread(), cfg.NATSKey.Reread()
		return now.NATSTLS()
	}
	first, err := secure()
	if err != nil {
		return nil, &config.Error{Err: err}
	}
	options := natslog.Options{
		Slot: cfg.Slot, URL: cfg.NATSURL.Reread().Reveal(), NKey: strings.TrimSpace(cfg.NATSNKey.Reread().Reveal()),
		Replicas: cfg.NATSReplicas, Topic: Topic(cfg), Log: log,
	}
	if first != nil {
		options.TLS = secure
	}
	if cfg.Role.Reads() && cfg.Role.Sends() {
		options.Echo = int(cfg.Memory) / EchoShare
	}
	if cfg.NATSCreds.Reveal() != "" {
		options.Credentials = func() string { return cfg.NATSCreds.Reread().Reveal() }
	}
	opened, err := natslog.Open(options)
	if sentence := cmp.Or(refusedLogin(cfg, err), refusedTLS(err)); sentence != "" {
		return nil, &config.Error{Err: errors.New(sentence)}
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

// CheckLogOwner returns natslog.ErrForeign if the log belongs to another database. With claim it
// belongs to this one from now on if it is nobody's. A missing log is nobody's.
func CheckLogOwner(ctx context.Context, log *natslog.Log, db state.Querier, claim bool) error {
	here, err := state.Here(ctx, db)
	if err != nil {
		return err
	}
	if err := log.Claim(ctx, here, claim); claim || !errors.Is(err, natslog.ErrNoLog) {
		return err
	}
	return nil
}
