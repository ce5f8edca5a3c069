package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// intake is what a lane reads from the store, without its mu.
type intake struct{ *lane }

// load reads a part of the tail.
func (r intake) load(ctx context.Context, part state.Part) {
	l := r.lane
	part.Hook = l.hook
	var rows []state.Row
	err := l.store.persist(ctx, func(ctx context.Context) (err error) {
		rows, err = l.store.store.Tail(ctx, part)
		return err
	})
	if err != nil {
		return
	}
	now := time.Now()
	items := l.restored(rows, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(l.window.loaded(items, len(rows) < part.Rows))
	l.fill(now)
}

// Finding heads reads all that is parked for the hook: it may take that share of the time.
const scoutingShare = 10

// findHeads reads the heads that the window wants.
func (r intake) findHeads(ctx context.Context, wanted state.Heads) {
	l := r.lane
	wanted.Hook = l.hook
	begun := time.Now()
	var rows []state.Row
	err := l.store.persist(ctx, func(ctx context.Context) (err error) {
		rows, err = l.store.store.Heads(ctx, wanted)
		return err
	})
	if err != nil {
		return
	}
	now := time.Now()
	heads := l.restored(rows, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pulse.scout = now.Add(scoutingShare * now.Sub(begun))
	l.window.scouted(heads)
	l.fill(now)
}
