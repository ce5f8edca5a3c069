package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/wiring"
)

// HasLog reports whether deliveries go over a log.
func HasLog(cfg config.Config) bool { return cfg.NATSURL.Reveal() != "" }

// OpenLog connects a command to the log. The configuration must have one.
func OpenLog(cfg config.Config) (*natslog.Log, error) {
	return wiring.OpenLog(cfg, slog.New(slog.DiscardHandler))
}

// LogOpener returns a function that opens the log; nil if the configuration has none. It
// returns an error if the servers do not accept the configuration, but not if they are away.
func LogOpener(cfg config.Config) (func() (*natslog.Log, error), error) {
	if !HasLog(cfg) {
		return nil, nil
	}
	log, err := OpenLog(cfg)
	if err == nil {
		log.Close()
	}
	if refused, ok := errors.AsType[*config.Error](err); ok {
		return nil, refused
	}
	return func() (*natslog.Log, error) { return OpenLog(cfg) }, nil
}

// CreateLog creates the missing streams of the log, its bucket and its topic, if the configuration
// has them. It returns the streams that exist, or natslog.ErrForeign.
func CreateLog(ctx context.Context, cfg config.Config, db state.Querier) ([]natslog.Stream, error) {
	if !HasLog(cfg) {
		return nil, nil
	}
	var streams []natslog.Stream
	err := withLog(ctx, cfg, db, func(log *natslog.Log) (err error) {
		if err = log.SetUp(ctx); err == nil {
			streams, err = log.Streams(ctx)
		}
		return err
	})
	return streams, err
}

// withLog opens the log for f; it returns natslog.ErrForeign if it is another database's.
func withLog(ctx context.Context, cfg config.Config, db state.Querier, f func(log *natslog.Log) error) error {
	log, err := OpenLog(cfg)
	if err != nil {
		return err
	}
	defer log.Close()
	if err := wiring.CheckLogOwner(ctx, log, db, false); err != nil {
		return err
	}
	return f(log)
}

// LogCommands returns, as comments of SQL, the commands that create the stream and the bucket
// of the log; none if the configuration has no log.
func LogCommands(cfg config.Config) ([]string, error) {
	if !HasLog(cfg) {
		return nil, nil
	}
	lines := []string{"-- Stream and bucket of the log, with the command line of NATS (server 2.12 or newer):"}
	commands, err := natslog.NamesOf(cfg.Slot).Commands(cfg.NATSReplicas, wiring.Topic(cfg))
	for _, command := range commands {
		lines = append(lines, "-- "+command)
	}
	return lines, err
}

// CheckLog returns a *cdc.Gap if the log is not the one for which the slot was confirmed: its
// stream or its bucket was deleted, or the stream was created again or has lost its end. A
// reader notes the first stream of a slot.
func CheckLog(ctx context.Context, cfg config.Config, log *natslog.Log, stored *state.Log) error {
	known, seq, err := stored.Stream(ctx)
	if err != nil {
		return err
	}
	gap, created, err := log.Changed(ctx, known, seq)
	switch {
	case err != nil:
		return err
	case gap != nil:
		return gap
	case known.IsZero() && cfg.Role.Reads():
		return stored.Note(ctx, created, 0)
	}
	return nil
}

// RepairLog lets readers and senders continue with the log as it is. It accepts a stream that
// was created again, creates missing streams and buckets, and passes over missing messages. It
// calls say for each fault. With dryRun it changes nothing.
func RepairLog(ctx context.Context, cfg config.Config, db state.Querier, dryRun bool, say func(string)) error {
	return withLog(ctx, cfg, db, func(log *natslog.Log) error {
		stored := state.NewLog(db, cfg.StateSchema, cfg.Slot)
		err := CheckLog(ctx, cfg, log, stored)
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			say(gap.Why)
			if dryRun {
				return nil
			}
			err = renewLog(ctx, log, stored)
		}
		if err != nil {
			return err
		}
		holes, err := log.Holes(ctx)
		for _, hole := range holes {
			if err != nil {
				break
			}
			say(fmt.Sprintf("partition %02d of the log: message %s is missing", hole.Partition, hole.Missing))
			if !dryRun {
				err = log.Pass(ctx, hole)
			}
		}
		return err
	})
}

func renewLog(ctx context.Context, log *natslog.Log, stored *state.Log) error {
	if err := log.SetUp(ctx); err != nil {
		return err
	}
	info, err := log.Info(ctx)
	if err != nil {
		return err
	}
	return stored.Note(ctx, info.Created.Truncate(time.Microsecond), 0)
}
