package relay

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/mapping"
)

var errStopped = errors.New("stopped")

// parkWithin bounds the time from the end of the grace period to the end of the term.
const parkWithin = 3 * time.Second

// stop ends the term cleanly; it takes little longer than the grace period. Nothing new
// is read, and deliveries under way are finished, or written to the log. Deliveries that wait
// for another attempt are parked immediately, and at the end all unfinished ones, so that the
// slot can be confirmed. It returns early if the work has failed.
func (t *term) stop(failed <-chan struct{}) {
	select {
	case <-t.stream.Started():
	default:
		return // nothing is in flight
	}
	grace := time.After(t.cfg.Grace)
	reads := t.writer != nil
	if !reads {
		t.log.Info("stopping: finishing requests in flight", "grace", t.cfg.Grace)
	}
	t.stream.StopReading()
	t.pipeline.settler.Flush()
	if !reads {
		t.dispatcher.Hasten()
		t.board.stops()
	}
	select {
	case <-t.drained:
	case <-failed:
		return
	case <-grace:
		if left := t.stream.Stats().Outstanding; reads {
			t.log.Warn("Grace period is over: the next reader reads again what is not in the log", "transactions", left)
		} else {
			t.log.Warn("the grace period is over: undelivered events are sent after the next start", "transactions", left)
		}
	}
	if !reads && !t.park() {
		t.dispatcher.Halt() // Close would wait for the store once more
	}
}

// failureOf returns why the work has ended; nil: it was stopped.
func failureOf(work context.Context) error {
	err := context.Cause(work)
	if gone, ok := errors.AsType[*logGap](err); ok {
		return gone.gap
	}
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// ends reports whether an error ends the program. Errors that do not go away by waiting do: an
// invalid configuration, a gap, a copied database, a dead stream. Errors that a person must fix
// end it only before the program has streamed or stood by: then the set-up is wrong, and the
// person who started the program is watching. Later such an error comes from a migration or a
// rotation of credentials, and the program waits until it is over, as it does after any unknown
// error.
func (s *sidecar) ends(err error) bool {
	return is[*config.Error](err) || is[*cdc.Gap](err) || is[*state.CopyError](err) || errors.Is(err, errStreamDead) ||
		!s.isProven() && isPermanent(err)
}

// is reports whether the error or one of its causes has the type.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// isProven reports whether the program has streamed or stood by.
func (s *sidecar) isProven() bool {
	now := s.role.now()
	return now.stats().Connections > 0 || s.proven.Load()
}

// isPermanent reports whether a person must fix the error.
func isPermanent(err error) bool {
	if fault, ok := errors.AsType[*cdc.Fault](err); ok {
		return !fault.Passes()
	}
	return postgres.Permanent(err) || is[*state.SchemaError](err) || is[*mapping.MissingColumnError](err) || is[*hook.MissingColumnError](err)
}

// crew is the goroutines of a term. Its creator waits for them. The first error of any of
// them ends the work of all.
type crew struct {
	wg     sync.WaitGroup
	cancel context.CancelCauseFunc // of the context that all work in
}

// newCrew returns a crew without goroutines, and the context in which they work.
func newCrew(ctx context.Context) (*crew, context.Context) {
	work, cancel := context.WithCancelCause(ctx)
	return &crew{cancel: cancel}, work
}

// start runs f in a goroutine. An error of f ends the work.
func (c *crew) start(work context.Context, f func(context.Context) error) {
	c.wg.Go(func() {
		if err := f(work); err != nil {
			c.cancel(err) // the first cause is kept
		}
	})
}

// keep runs f in a goroutine; f returns when the work ends.
func (c *crew) keep(work context.Context, f func(context.Context)) {
	c.wg.Go(func() { f(work) })
}

// end ends the work for the given reason, unless it has ended already, and waits for all
// goroutines.
func (c *crew) end(reason error) {
	c.cancel(reason)
	c.wg.Wait()
}
