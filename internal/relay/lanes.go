package relay

import (
	"context"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// lanes deliver a leader's or a sender's events. Its fields are in the order of their creation;
// a reader has neither sender nor dispatcher.
type lanes struct {
	*sidecar
	hooks      *hook.Set
	parked     *parkingRoom
	entries    *state.Log // what the database has of the log; nil: there is none
	sender     *send.Sender
	dispatcher *dispatch.Dispatcher
}

// openLanes begins to send, while permit holds. The caller closes the lanes.
func (l *lanes) openLanes(permit func() bool) (err error) {
	if l.sender, err = wiring.NewSender(l.cfg, l.version, l.parked.Signing.KeysOf); err != nil {
		return err
	}
	l.dispatcher = dispatch.New(dispatch.Options{
		Hooks:       l.hooks,
		Sender:      l.sender,
		Concurrency: l.cfg.HookConcurrency,
		InFlight:    l.cfg.Concurrency,
		MaxBytes:    int64(l.cfg.Memory) / wiring.BodiesShare,
		Retry:       dispatch.Policy{RetryFor: l.cfg.RetryFor, MaxAttempts: l.cfg.MaxAttempts},
		Store:       l.parked.Store,
		MaxParked:   int64(l.cfg.ParkMaxBytes),
		Signable:    l.signable,
		KeepBodies:  l.cfg.AdminToken.Reveal() != "",
		Permit:      permit,
		Log:         l.log,
		Metrics:     l.deliveries,
	})
	return nil
}

// signable reports whether the hook has no signing secret, or one that can be decrypted.
func (l *lanes) signable(hook int64) bool {
	_, err := l.parked.Signing.KeysOf(hook)
	return err == nil
}

// closeLanes ends what is in flight.
func (l *lanes) closeLanes() {
	l.dispatcher.Close()
	l.deliveries.Rest()
	l.sender.Close()
}

// restore passes the parked deliveries to the dispatcher. It waits for the database.
func (l *lanes) restore(ctx context.Context) error {
	return l.questions.persist(ctx, readParked, func(ctx context.Context) error { return l.parked.restore(ctx, l.dispatcher) })
}

// park stores what is unfinished at the end, and reports whether all of it was stored.
func (l *lanes) park() bool {
	ctx, cancel := context.WithTimeout(context.Background(), parkWithin)
	defer cancel()
	err := l.dispatcher.Park(ctx)
	if err != nil {
		l.log.Warn("not everything could be parked: the rest is sent after the next start", "error", err)
	}
	return err == nil
}
