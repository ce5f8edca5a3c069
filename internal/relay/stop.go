package relay

import (
	"context"
	"errors"
	"time"
)

var errStopped = errors.New("stopped")

// parkWithin bounds the time from the end of the grace period to the end of the term.
const parkWithin = 3 * time.Second

// stop ends the term cleanly; it takes little longer than the grace period. Nothing new
// is read, and deliveries under way are finished. Deliveries that wait for another
// attempt are parked immediately, and at the end all unfinished ones, so that the slot
// can be confirmed. It returns early if the work has failed.
func (t *term) stop(failed <-chan struct{}) {
	select {
	case <-t.stream.Started():
	default:
		return // nothing is in flight
	}
	t.log.Info("stopping: finishing requests in flight", "grace", t.cfg.Grace)
	grace := time.NewTimer(t.cfg.Grace)
	defer grace.Stop()
	t.stream.StopReading()
	t.pipeline.settler.Flush()
	t.dispatcher.Hasten()
	t.board.stops()
	select {
	case <-t.drained:
	case <-failed:
		return
	case <-grace.C:
		t.log.Warn("the grace period is over: undelivered events are sent after the next start",
			"transactions", t.stream.Stats().Outstanding)
	}
	ctx, cancel := context.WithTimeout(context.Background(), parkWithin)
	defer cancel()
	if err := t.dispatcher.Park(ctx); err != nil {
		t.log.Warn("not everything could be parked: the rest is sent after the next start", "error", err)
		t.dispatcher.Halt() // Close would wait for the store once more
	}
}
