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

// linger is how long the writer waits for a batch with fewer notes than scanty to grow,
// so that more rows share the cost of a transaction.
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

// note is a lane's decision that must be written.
type note struct {
	kind kind
	lane *lane
	item *item
	row  state.Row                   // as of the decision, without the body
	ask  func(context.Context) error // replaces all that: a question, in its place among the notes
}

// writer passes the lanes' decisions to the store in order, many in a transaction. It
// repeats what fails: nothing counts as done before it is written, and nothing is lost.
// It is safe for concurrent use.
type writer struct {
	store   Store
	log     *slog.Logger
	cancel  context.CancelFunc
	stopped chan struct{}
	more    chan struct{} // holds a token when there may be notes
	retries retry.Policy
	trouble logging.Repeat
	locked  logging.Repeat // reports what was set aside
	aside   aside          // used only by the goroutine
	atOnce  bool           // do not wait for locks now; used only by the goroutine

	mu     sync.Mutex
	notes  []note
	closed bool
}

// newWriter starts a writer with its goroutine; it must be closed.
func newWriter(store Store, log *slog.Logger) *writer {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writer{
		store: store, log: log, cancel: cancel,
		stopped: make(chan struct{}), more: make(chan struct{}, 1),
	}
	w.retries = retry.Policy{
		First: 100 * time.Millisecond, Longest: 5 * time.Second, Patience: storePatience,
		Failed: func(ctx context.Context, err error, next time.Duration) {
			w.trouble.Failed(ctx, log, slog.LevelError, "the store of parked deliveries did not answer; trying again: the slot waits for it",
				slog.Any("error", err), slog.Duration("next", next))
		},
	}
	go func() {
		defer close(w.stopped)
		w.run(ctx)
	}()
	return w
}

// add adds notes. After close they are dropped.
func (w *writer) add(notes ...note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, notes...)
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
	<-w.stopped
	w.cancel()
}

func (w *writer) run(ctx context.Context) {
	again := time.NewTimer(asideEvery)
	defer again.Stop()
	for {
		again.Stop()
		if len(w.aside.notes) > 0 {
			again.Reset(asideEvery)
		}
		select {
		case <-w.more:
		case <-again.C:
			if w.revisit(ctx) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
		if ended, err := w.drain(ctx); ended || err != nil {
			return
		}
	}
}

// drain writes everything that has been added. ended states that nothing will be added
// and nothing waits.
func (w *writer) drain(ctx context.Context) (ended bool, err error) {
	for visited := time.Now(); ; {
		if w.isScanty() {
			_ = retry.Sleep(ctx, linger) // the next step notices the end of ctx
		}
		batch, closed := w.take()
		if len(batch) == 0 {
			return closed && len(w.aside.notes) == 0, nil
		}
		if err := w.write(ctx, batch); err != nil {
			return false, err
		}
		clear(batch)                          // the array is reused
		if time.Since(visited) > asideEvery { // there may always be more
			if err := w.revisit(ctx); err != nil {
				return false, err
			}
			visited = time.Now()
		}
	}
}

// isScanty reports whether to wait for more notes.
func (w *writer) isScanty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.notes) > 0 && len(w.notes) < scanty && w.notes[0].ask == nil && !w.closed
}

// take removes the notes of the next transaction, or one question. A row is changed once
// in a transaction.
func (w *writer) take() (batch []note, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := portion(w.notes)
	batch = w.notes[:n:n]
	if w.notes = w.notes[n:]; len(w.notes) == 0 {
		w.notes = nil
	}
	return batch, w.closed
}

// portion returns the number of notes in the next transaction, or 1 for a question.
func portion(notes []note) (n int) {
	bytes := 0
	seen := make(map[state.Key]struct{})
	for n < min(len(notes), batchRows) {
		next := &notes[n]
		if next.ask != nil {
			return max(n, 1)
		}
		key := next.row.Key
		if _, again := seen[key]; again || n > 0 && bytes+next.size() > batchBytes {
			break
		}
		seen[key] = struct{}{}
		bytes += next.size()
		n++
	}
	return n
}

// size returns the approximate bytes that the note adds to a transaction.
func (n *note) size() int {
	if n.kind == insert {
		return n.row.Bytes
	}
	return 0
}

// write applies the notes, repeatedly until it succeeds or ctx ends. It sets aside notes
// whose rows are locked.
func (w *writer) write(ctx context.Context, batch []note) error {
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
func (w *writer) answer(ctx context.Context, n note) error {
	return w.persist(ctx, func(ctx context.Context) error {
		err := n.ask(ctx)
		if _, locked := errors.AsType[*state.LockedError](err); locked {
			w.aside.put(n)
			w.reportLocked(ctx, err)
			return nil
		}
		return err
	})
}

// batch returns the notes as a batch for the store.
func (w *writer) batch(notes []note) state.Batch {
	b := state.Batch{AtOnce: w.atOnce}
	for i := range notes {
		n := &notes[i]
		attempt := state.Attempt{
			Key: n.row.Key, Attempts: n.row.Attempts, Next: n.row.Next,
			LastResult: n.row.LastResult, LastStatus: n.row.LastStatus, Reason: n.row.Reason,
		}
		switch n.kind {
		case insert:
			n.row.Body = n.item.letter.event.Body(n.item.Action, n.item.Payload)
			b.Insert = append(b.Insert, n.row)
		case update:
			b.Update = append(b.Update, attempt)
		case entomb:
			b.Bury = append(b.Bury, attempt)
		case remove:
			b.Delete = append(b.Delete, n.row.Key)
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

// answered logs the end of failures.
func (w *writer) answered(ctx context.Context) {
	w.trouble.Worked(ctx, w.log, "the store of parked deliveries answers again")
}
