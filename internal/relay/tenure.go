package relay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/natslog"
	"github.com/hooktail/hooktail/internal/wiring"
)

// tenure is a period in which a sender has the same partitions.
type tenure struct {
	lanes
	lease     *lease
	share     *state.Share
	bookmarks *natslog.Bookmarks
	tail      *natslog.Tail
	loadedFor string // id of the last message after which the hooks were read; read uses it
	unmarked  logging.Repeat
}

// serveShare delivers the share's partitions. It returns nil after the share has changed or
// ctx has ended, when everything in flight is finished; otherwise the error that ended it.
func (s *sidecar) serveShare(ctx context.Context, lease *lease, share *state.Share) (err error) {
	s.role.idles(errors.New("starting: reading the bookmarks"))
	t := &tenure{lanes: lanes{sidecar: s}, lease: lease, share: share}
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.parked.Close()
	if err := t.openLanes(lease.holds); err != nil {
		return err
	}
	defer t.closeLanes()
	if err := t.open(ctx); err != nil {
		return err
	}
	defer t.tail.Close()
	s.board.show(&shown{lanes: t.lanes, past: t.events})
	defer s.board.show(nil)
	s.watch.sends(t)
	defer s.watch.sends(nil)
	return t.run(ctx)
}

// begin opens the store of parked deliveries.
func (t *tenure) begin(ctx context.Context) error {
	ctx, cancel := t.lease.during(ctx)
	defer cancel()
	options := wiring.HooksOptions(t.cfg, t.log)
	options.Counter, options.AtSlot = t.deliveries, true
	t.hooks = hook.NewSet(options)
	return causeOf(ctx, t.openParked(ctx, t.share))
}

// open takes over the bookmarks, reads the hooks and restores parked deliveries. These wait until
// the log is read up to its present end, since older events of the log may be sent again.
func (t *tenure) open(ctx context.Context) (err error) {
	if err := t.knowsLog(ctx); err != nil {
		return err
	}
	if t.bookmarks, err = t.events.Bookmarks(ctx); err != nil {
		return err
	}
	marks := make(map[int]natslog.Bookmark, len(t.share.Partitions))
	for _, p := range t.share.Partitions {
		if marks[p], err = t.bookmarks.Take(ctx, p, t.share.Epoch); err != nil {
			return err
		}
	}
	within, cancel := t.lease.during(ctx)
	defer cancel()
	if err := t.loadHooks(within, t.hooks); err != nil { // of changes from now on, messages will tell
		return causeOf(within, err)
	}
	const beforeAll = 1
	t.dispatcher.Passed(beforeAll)
	if err := t.restore(ctx); err != nil {
		return err
	}
	t.tail, err = t.events.Tail(ctx, marks)
	return err
}

// run starts the goroutines of the tenure, and stops them in the order of the path.
func (t *tenure) run(ctx context.Context) error {
	crew, work := newCrew(context.WithoutCancel(ctx))
	reading, stopReading := context.WithCancel(work)
	defer stopReading()
	read := make(chan struct{})
	crew.start(work, func(work context.Context) error { return t.lease.guard(work, t.dispatcher.Halt) })
	crew.start(work, func(context.Context) error {
		defer close(read)
		if err := t.read(reading); reading.Err() == nil || work.Err() != nil {
			return err
		}
		return nil
	})
	crew.start(work, t.markAlways)
	crew.start(work, t.checkLog)
	crew.keep(work, func(work context.Context) { t.parked.watch(work, t.dispatcher, t.hooks) })
	if !t.cfg.Role.Reads() {
		crew.keep(work, t.announce)
	}
	t.board.serve(work, crew)
	t.log.Info("hooktail sends", "version", t.version, "slot", t.cfg.Slot, "partitions", len(t.share.Partitions), "epoch", t.share.Epoch, "ops", t.ops)
	t.role.sends(t.holes)
	t.unsent.Worked(ctx, t.log, "Sending resumed")

	select {
	case <-work.Done():
	case <-ctx.Done():
		t.log.Info("stopping: finishing requests in flight", "grace", t.cfg.Grace)
		t.stop(stopReading, read, work.Done(), t.cfg.Grace)
	case <-t.lease.moved:
		t.log.Info("Share of partitions changes", "senders", "joined or left", "partitions", len(t.lease.wanted()))
		t.stop(stopReading, read, work.Done(), min(t.cfg.Grace, handover))
	}
	crew.end(errStopped)
	if err := failureOf(work); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if err := t.mark(within); err != nil { // otherwise nothing is sent again
		t.log.Warn("Cannot write the last bookmarks: deliveries since the previous ones are repeated", "error", err)
	}
	return nil
}

// handover is the time for requests in flight before a tenure parks the rest.
const handover = 2 * time.Second

// stop ends the tenure in order: it stops reading, finishes requests in flight, and parks the
// rest.
func (t *tenure) stop(stopReading func(), read, failed <-chan struct{}, grace time.Duration) {
	stopReading()
	select {
	case <-read:
	case <-failed:
		return
	}
	t.dispatcher.Hasten()
	t.board.stops()
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_ = t.dispatcher.Drain(ctx) // what it does not finish is parked
	t.park()
}

// read passes messages to the lanes in the order of the log until ctx ends.
func (t *tenure) read(ctx context.Context) error {
	passed := false
	for {
		if !passed && t.tail.IsCaughtUp() {
			t.dispatcher.Passed(cdc.LSN(math.MaxUint64))
			passed = true
		}
		m, progress, err := t.tail.Next(ctx)
		if err == nil && m != nil {
			err = t.accept(ctx, m, progress)
		}
		if err != nil {
			return err
		}
	}
}

func (t *tenure) accept(ctx context.Context, m *natslog.Message, progress *natslog.Progress) error {
	taken, targets, err := progress.Take(m)
	if hole, stops := errors.AsType[*natslog.Hole](err); stops {
		t.log.Error("Gap in the log: a partition has stopped, the others go on", "partition", hole.Partition, "missing", hole.Missing, "before", hole.Seq, "remedy", "hooktail repair")
		return nil
	}
	switch {
	case taken == nil:
		return nil
	case m.Event == nil:
		if m.ID == t.loadedFor { // all partitions are told under one id
			return nil
		}
		t.loadedFor = m.ID
		return t.loadHooks(ctx, t.hooks)
	case len(targets) == 0:
		return nil
	}
	if m.Stored {
		if err := t.payload(ctx, m); err != nil {
			return err
		}
	}
	m.Event.Received = time.Now()
	m.Event.Age = max(0, m.Event.Received.Sub(m.Event.Committed))
	deliveries := make([]dispatch.Delivery, len(targets))
	for i, target := range targets {
		deliveries[i] = dispatch.Delivery{Target: target, Event: m.Event, Done: func() { progress.Done(taken, target.Hook) }}
	}
	return t.dispatcher.Enqueue(ctx, deliveries)
}

// payload reads a payload that was too large for the log.
func (t *tenure) payload(ctx context.Context, m *natslog.Message) error {
	return t.questions.persist(ctx, "read a large payload", func(ctx context.Context) (err error) {
		m.Event.Payload, err = t.entries.Payload(ctx, m.Event.ID.String())
		if err == nil && m.Event.Payload == nil {
			err = fmt.Errorf("the payload of event %s is missing in table log_body", m.Event.ID)
		}
		return err
	})
}
