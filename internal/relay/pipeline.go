package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// pipeline is the path of a change between the stream and the lanes. Two goroutines run
// it: run (steps 3 to 5: rows → events → hooks that want them) and deliver (steps 6 to
// 8: settle, render, hand to the lanes). run keeps the order of the stream, deliver that
// of each task and each project.
type pipeline struct {
	*sidecar
	stream     *cdc.Stream
	hooks      *hook.Set
	overlap    *hook.Overlap // nil: all hooks are served, or events are not remembered
	mapper     *mapping.Mapper
	mapped     *cdc.Part // what mapper maps
	locator    *mapping.Locator
	orphans    *mapping.Orphans[orphan]
	settler    *mapping.Settler[*wanted]
	settle     time.Duration // HOOKTAIL_SETTLE
	pacing     *rate.Limiter // paces settled batches
	renderer   *mapping.Renderer
	sieve      *sieve
	outlet     Outlet
	news       *news                  // nil: there is no log
	handedOver func(commit time.Time) // called for every part
}

// wanted is an event and the hooks that want it.
type wanted struct {
	event   *mapping.Event // nil: it marks that hooks have been adopted or have changed
	targets []hook.Target  // hooks to send to, and those for which the event is only Kept
	tx      *cdc.Tx
	rows    *rows
	left    atomic.Int32 // unfinished deliveries
}

// rows frees a part when its last event has been rendered.
type rows struct {
	part *cdc.Part
	left atomic.Int32
}

func (r *rows) done() {
	if r.left.Add(-1) == 0 {
		r.part.Free()
	}
}

// delivered is called once per delivery by the outlet.
func (w *wanted) delivered() {
	if w.left.Add(-1) == 0 {
		w.tx.Done()
	}
}

// run passes committed transactions on to the settler until the stream ends. It never
// waits for HTTP.
func (p *pipeline) run(ctx context.Context) error {
	defer p.settler.Close()
	for {
		parts, err := p.next(ctx)
		if errors.Is(err, cdc.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, part := range parts {
			p.handedOver(part.Time)
			if err := p.part(ctx, part); err != nil {
				return fmt.Errorf("transaction at %s: %w", part.Commit, err)
			}
		}
	}
}

// part makes the events of one part and finds the hooks that want them.
func (p *pipeline) part(ctx context.Context, part *cdc.Part) error {
	events, err := p.events(ctx, part)
	if err != nil {
		return err
	}
	p.reclaim(part.Commit) // with the hooks from before the project's deletion
	if err := p.applyHooks(ctx, part); err != nil {
		return err
	}
	if !p.locator.Recall(events) { // which it mostly can, without a query
		err := p.questions.persist(ctx, "find the organization of a project", func(ctx context.Context) error { return p.locator.Locate(ctx, events) })
		if err != nil {
			return err
		}
	}
	if p.news.add(part) {
		p.settler.Put(&wanted{})
	}
	claim := &rows{part: part}
	claim.left.Store(1) // until all events of the part are registered
	for _, event := range events {
		if !p.hold(part, event) && !p.want(event, part.Tx, claim) {
			p.settler.Pass(event)
		}
	}
	p.settler.See(part.XID, p.mapper.Signs())
	claim.done()
	if part.Last {
		part.Tx.Close(part.End)
	}
	return nil
}

// want passes the event on to the settler if hooks want it. The position waits for their
// deliveries, except those that are only kept in the overlap.
func (p *pipeline) want(event *mapping.Event, tx *cdc.Tx, claim *rows) bool {
	targets := p.news.missing(event, p.hooks.Match(event, nil))
	if len(targets) == 0 {
		return false
	}
	w := &wanted{event: event, targets: targets, tx: tx, rows: claim}
	claim.left.Add(1)
	deliveries := int32(0)
	for _, t := range targets {
		if !t.Kept {
			deliveries++
		}
	}
	if w.left.Store(deliveries); deliveries > 0 {
		tx.Hold(1)
	}
	p.settler.Add(event, w)
	return true
}

// deliver renders settled events in batches and hands them to the outlet, which blocks
// while it has no room. It returns when the settler is closed and empty.
func (p *pipeline) deliver(ctx context.Context) error {
	for {
		batch, err := p.settler.Next(ctx, renderBatch)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if grow := p.growing(batch); grow > 0 {
			batch = append(batch, p.settler.More(ctx, renderBatch-len(batch), grow)...)
		}
		batch = slices.DeleteFunc(batch, func(w *wanted) bool { return w.event == nil })
		if err := p.hand(ctx, batch); err != nil {
			return err
		}
	}
}

// Each batch has a cost for the database. Batches are paced so that many events share it;
// a few events are sent immediately.
const (
	gathering = 10 * time.Millisecond // how long a batch may grow that is late in any case
	pace      = 25 * time.Millisecond // pause between two batches of a long series
	burst     = 20                    // batches that are exempt from the pace
	many      = 64                    // events that fill a batch
)

// newPacing lets the events of a few users pass immediately, however close together; only
// a long series of batches is paced.
func newPacing() *rate.Limiter { return rate.NewLimiter(rate.Every(pace), burst) }

// growing returns how long the batch may still grow: while the stream catches up, and
// while events follow each other closely.
func (p *pipeline) growing(batch []*wanted) time.Duration {
	const late, few = time.Second, renderBatch / 2
	e := batch[0].event
	switch {
	case e == nil:
		return 0
	case len(batch) < few && e.Age+time.Since(e.Received) > p.settle+late:
		return gathering
	case len(batch) < many && p.settle > 0:
		return p.pacing.Reserve().Delay()
	}
	return 0
}

// hand renders the batch and hands it to the lanes, in several steps if its rows are large: the
// payloads of one step are in the lanes before those of the next are built; those for a log are
// written meanwhile. An empty batch only hands over remembered events.
func (p *pipeline) hand(ctx context.Context, batch []*wanted) error {
	for {
		n, err := p.render(ctx, batch)
		if err != nil {
			return err
		}
		if err := p.enqueue(ctx, batch[:n]); err != nil {
			return err
		}
		clear(batch[:n]) // frees rendered events before the last step
		if batch = batch[n:]; len(batch) == 0 {
			return nil
		}
	}
}

// enqueue hands the batch to the lanes, preceded by the events remembered for adopted
// hooks. It releases the rows first: a delivery may take long.
func (p *pipeline) enqueue(ctx context.Context, batch []*wanted) error {
	most := 0
	for _, w := range batch {
		most += len(w.targets)
	}
	deliveries := make([]dispatch.Delivery, 0, most)
	adopted := func(matches []hook.Match) {
		for _, m := range matches {
			deliveries = append(deliveries, dispatch.Delivery{Target: m.Target, Event: m.Event})
		}
	}
	adopted(p.overlap.Take())
	for _, w := range batch {
		w.rows.done()
		w.rows = nil
		w.targets = hook.Sift(w.event, w.targets, sifted{p.sieve, w})
		done := w.delivered
		for _, target := range w.targets {
			if !target.Kept {
				deliveries = append(deliveries, dispatch.Delivery{Target: target, Event: w.event, Done: done})
			}
		}
		adopted(p.overlap.Keep(w.event, w.targets))
	}
	await := func(ctx context.Context, xids []uint32) error {
		return p.questions.persist(ctx, "see changes of hooks", func(ctx context.Context) error { return p.renderer.Await(ctx, xids) })
	}
	if err := p.news.tell(ctx, await); err != nil {
		return err
	}
	if p.news == nil { // aside asks
		defer p.questions.ask("find room for events in the lanes of their hooks")()
	}
	return p.outlet.Enqueue(ctx, deliveries)
}

// renderBatch bounds the events rendered by one query of a kind; the renderer bounds
// their rows in bytes.
const renderBatch = 500

// render builds the payloads of the first n events of the batch, for the hooks that want
// payloads, once all transactions of the batch are visible. Events without a payload have no
// rows either: afterwards their part no longer counts, but a slow hook may hold them for long.
func (p *pipeline) render(ctx context.Context, batch []*wanted) (n int, err error) {
	if len(batch) == 0 {
		return 0, nil
	}
	events := make([]*mapping.Event, 0, len(batch))
	var xids []uint32
	for _, w := range batch {
		if slices.ContainsFunc(w.targets, func(t hook.Target) bool { return t.Payload || t.Filter != nil }) {
			events = append(events, w.event)
		} else {
			w.event.Release()
		}
		if xid := w.rows.part.XID; len(xids) == 0 || xids[len(xids)-1] != xid {
			xids = append(xids, xid)
		}
		if xid := w.event.EndedBy; xid != 0 {
			xids = append(xids, xid)
		}
	}
	err = p.questions.persist(ctx, "read tasks and projects", func(ctx context.Context) (err error) {
		n, err = p.renderer.RenderFirst(ctx, events, xids...)
		return err
	})
	if err != nil || n == len(events) {
		return len(batch), err
	}
	return slices.IndexFunc(batch, func(w *wanted) bool { return w.event == events[n] }), nil
}
