package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// persist repeats what needs the database until it succeeds: an event waits for
// a database that restarts. It gives up when the context ends, and at faults
// that waiting does not mend.
//
// An attempt has a time to end in, since a connection that is half open would
// keep it for ever: the next one is made on another connection, and may take
// twice as long, in case it is the database that needs it.
func (p *pipeline) persist(ctx context.Context, what string, f func(context.Context) error) error {
	const first, longest = 100 * time.Millisecond, 5 * time.Second
	patience := attemptPatience
	for wait := first; ; wait = min(2*wait, longest) {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := f(attempt)
		late := attempt.Err() != nil
		cancel()
		if err == nil {
			p.trouble.Worked(ctx, p.log, "the database answers again")
			return nil
		}
		if ctx.Err() != nil || !late && !cdc.Transient(err) {
			return err
		}
		if late {
			patience *= 2
		}
		p.trouble.Failed(ctx, p.log, slog.LevelError, "the database did not answer; trying again",
			slog.String("to", what), slog.Any("error", err), slog.Duration("next", wait))
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

// attemptPatience is how long the first attempt may take: as long as the stream
// waits for a server that is silent.
const attemptPatience = 30 * time.Second
