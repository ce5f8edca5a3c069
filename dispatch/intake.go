package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// read needs mu. It starts reading from the store after all earlier changes are written,
// without waiting for later ones.
func (l *lane) read(q *question) {
	l.store.add(operation{lane: l, ask: func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.start(func(ctx context.Context) { l.load(ctx, q) })
		}
		return nil
	}})
}

// Finding heads reads all parked deliveries of the hook: it may take a lane this share of
// the time. For the probes of failing hooks it may take all lanes together three times the
// share: the other lanes and the writer need the connections, too, and the application the
// processors of its database.
const (
	scoutingShare = 30
	longestRest   = 10 * time.Minute // of a failing hook
)

// rest returns the pause of a failing hook's lane after finding heads has taken so long.
func (w *windows) rest(took time.Duration) time.Duration {
	return min(scoutingShare/3*took*time.Duration(w.tails.Load()), longestRest)
}

// load takes mu. It reads what the window has asked for.
func (l *lane) load(ctx context.Context, q *question) {
	var rows []state.Row
	begun := time.Now()
	err := l.store.persist(ctx, func(ctx context.Context) (err error) {
		if q.heads != nil {
			q.heads.Hook = l.hook
			rows, err = l.store.store.Heads(ctx, *q.heads)
			return err
		}
		q.part.Hook = l.hook
		rows, err = l.store.store.Tail(ctx, q.part)
		return err
	})
	if err != nil {
		return
	}
	now := time.Now()
	deliveries, lost := make([]*delivery, len(rows)), l.network.lost(now)
	for i := range rows {
		deliveries[i] = restored(&rows[i], now, l.o.Retry.Cap)
		deliveries[i].excused = lost
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.heads != nil {
		took := now.Sub(begun)
		l.pulse.scout, l.pulse.rested = now.Add(scoutingShare*took), now.Add(l.windows.rest(took))
	}
	l.write(l.window.loaded(deliveries))
	l.fill(now)
}
