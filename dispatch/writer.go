package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/logging"
	"github.com/hooktail/hooktail/internal/retry"
)

// Limits of one transaction. A larger body passes alone.
const (
	batchRows  = 1000
	batchBytes = 4 << 20
)

// linger is how long the writer waits for a batch with fewer operations than scanty to
// grow, so that more rows share the cost of a transaction.
const (
	linger = 5 * time.Millisecond
	scanty = batchRows / 4
)

// kind is the change of a row.
type kind uint8

const (
	insert kind = iota
	update
	entomb
	remove
)

// operation is a lane's decision that must be written.
type operation struct {
	kind     kind
	lane     *lane
	delivery *delivery
	row      state.Row                   // as of the decision, without the body
	refused  error                       // why the store refuses it: only a reduced change is made
	whole    *state.Row                  // the row to insert before it was reduced; nil: it is not
	ask      func(context.Context) error // replaces all that: a question, in its place among the operations
}

// writer passes the lanes' decisions to the store in order, many in a transaction. It
// repeats what fails: nothing counts as done before it is written, and nothing is lost.
// It is safe for concurrent use.
type writer struct {
	store   Store
	log     *slog.Logger
	cancel  context.CancelFunc
	running sync.WaitGroup
	more    chan struct{} // holds a token when there may be operations
	retries retry.Policy
	trouble logging.Repeat
	locked  logging.Repeat // reports what was set aside
	aside   aside          // used only by the goroutine
	atOnce  bool           // do not wait for locks now; used only by the goroutine

	mu         sync.Mutex
	operations []operation
	closed     bool
}

// newWriter starts a writer with its goroutine; it must be closed.
func newWriter(store Store, log *slog.Logger) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{store: store, log: log, cancel: cancel, more: make(chan struct{}, 1)}
	w.retries = retry.Policy{
		First: 100 * time.Millisecond, Longest: 5 * time.Second, Patience: storePatience,
		Failed: func(ctx context.Context, err error, next time.Duration) {
			w.trouble.Failed(ctx, log, slog.LevelError, "the store of parked deliveries did not answer; trying again: the slot waits for it",
				slog.Any("error", err), slog.Duration("next", next))
		},
	}
	w.running.Go(func() { w.run(ctx) })
	return w
}

// add adds operations. After close they are dropped.
func (w *writer) add(operations ...operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operations = append(w.operations, operations...)
	w.wake()
}

func (w *writer) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// close writes what has been added, within that time, and ends the writer.
func (w *writer) close(patience time.Duration) {
	timer := time.AfterFunc(patience, w.cancel)
	defer timer.Stop()
	w.mu.Lock()
	w.closed = true
	w.wake()
	w.mu.Unlock()
	w.running.Wait()
	w.cancel()
}

func (w *writer) run(ctx context.Context) {
	tick := time.NewTicker(asideEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-w.more:
			err = w.writeNext(ctx)
		case <-tick.C:
			err = w.revisit(ctx)
			tick.Reset(asideEvery) // a pause, however long that took
		case <-ctx.Done():
			return
		}
		if err != nil || w.isDone() {
			return
		}
	}
}

// writeNext writes the next transaction, or asks the next question.
func (w *writer) writeNext(ctx context.Context) error {
	w.mu.Lock()
	n := len(w.operations)
	grows := n > 0 && n < scanty && w.operations[0].ask == nil && !w.closed
	w.mu.Unlock()
	if grows {
		_ = retry.Sleep(ctx, linger) // the next step notices the end of ctx
	}
	batch := w.next()
	if len(batch) == 0 {
		return nil
	}
	err := w.write(ctx, batch)
	clear(batch) // the array is reused
	w.wake()     // there may be more
	return err
}

// isDone reports whether nothing will be added and nothing waits.
func (w *writer) isDone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed && len(w.operations) == 0 && len(w.aside.operations) == 0
}

// next removes the operations of the next transaction, or one question. A row is changed
// once in a transaction.
func (w *writer) next() []operation {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := portion(w.operations)
	batch := w.operations[:n:n]
	if w.operations = w.operations[n:]; len(w.operations) == 0 {
		w.operations = nil
	}
	return batch
}

// portion returns the number of operations in the next transaction, or 1 for a question.
func portion(operations []operation) (n int) {
	bytes := 0
	seen := make(map[state.Key]struct{})
	for n < min(len(operations), batchRows) {
		op := &operations[n]
		if op.ask != nil {
			return max(n, 1)
		}
		if op.kind == insert {
			bytes += op.row.Bytes
		}
		if _, again := seen[op.row.Key]; again || n > 0 && bytes > batchBytes {
			break
		}
		seen[op.row.Key] = struct{}{}
		n++
	}
	return n
}

// write applies the operations, repeatedly until it succeeds or ctx ends. It sets aside
// operations whose rows are locked.
func (w *writer) write(ctx context.Context, batch []operation) error {
	batch = w.aside.without(batch, nil)
	if len(batch) == 0 {
		return nil
	}
	if batch[0].ask != nil {
		return w.answer(ctx, batch[0])
	}
	return w.apply(ctx, batch)
}

// answer asks the question, only once if it needs a locked row.
func (w *writer) answer(ctx context.Context, op operation) error {
	return w.persist(ctx, func(ctx context.Context) error {
		err := op.ask(ctx)
		if _, locked := errors.AsType[*state.LockedError](err); locked {
			w.aside.put(op)
			w.reportLocked(ctx, err)
			return nil
		}
		return err
	})
}

func (w *writer) batch(operations []operation) state.Batch {
	b := state.Batch{AtOnce: w.atOnce}
	for i := range operations {
		op := &operations[i]
		attempt := state.Attempt{
			Key: op.row.Key, Attempts: op.row.Attempts, Next: op.row.Next,
			LastResult: op.row.LastResult, LastStatus: op.row.LastStatus, Reason: op.row.Reason,
		}
		if op.refused != nil {
			attempt = state.Attempt{Key: op.row.Key, Attempts: op.row.Attempts, Reason: op.row.Reason, Bodiless: true}
		}
		switch op.kind {
		case insert:
			if op.refused == nil {
				op.row.Body = op.delivery.shared.event.Body(op.delivery.Action, op.delivery.Payload)
			}
			b.Insert = append(b.Insert, op.row)
		case update:
			b.Update = append(b.Update, attempt)
		case entomb:
			b.Bury = append(b.Bury, attempt)
		case remove:
			b.Delete = append(b.Delete, op.row.Key)
		}
	}
	return b
}

// persist repeats f until it succeeds or ctx ends.
func (w *writer) persist(ctx context.Context, f func(context.Context) error) error {
	err := w.retries.Do(ctx, f)
	if err == nil {
		w.answered(ctx)
	}
	return err
}

// storePatience is the initial timeout of the store.
const storePatience = 30 * time.Second

func (w *writer) answered(ctx context.Context) {
	w.trouble.Worked(ctx, w.log, "the store of parked deliveries answers again")
}
