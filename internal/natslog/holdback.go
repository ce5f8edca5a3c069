package natslog

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/retry"
)

// sampleEvery is the interval between two samples of the log.
const sampleEvery = time.Second

// Holdback prevents the slot from being confirmed beyond the messages that the NATS servers
// have on disk. They sync at least once per interval: a message that was acknowledged before,
// and is still there after it, survives a loss of power. It is safe for concurrent use.
type Holdback struct {
	writer   *Writer
	interval time.Duration // 0: the servers sync each message before they acknowledge it
	log      *slog.Logger
	made     time.Time

	mu       sync.Mutex // guards the fields below
	samples  []sample   // the oldest first
	released sample     // the newest one that may be confirmed
}

// sample is the log at one time.
type sample struct {
	at     time.Time
	prefix cdc.LSN // up to which the slot may be confirmed
	end    uint64  // last sequence
	below  cdc.LSN // all messages below floor are of commits below it
	floor  uint64
}

// NewHoldback holds back the writer's messages for twice the interval.
func NewHoldback(w *Writer, interval time.Duration, log *slog.Logger) *Holdback {
	return &Holdback{writer: w, interval: interval, log: log, made: time.Now()}
}

// Hold returns how much of the position may be confirmed. It does not block.
func (h *Holdback) Hold(position cdc.LSN) cdc.LSN {
	if h.interval == 0 {
		return position
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(position, h.released.prefix)
}

// Age returns the age of the position up to which the slot may be confirmed; before there is
// one, the time since NewHoldback. holds is false if nothing is held back.
func (h *Holdback) Age() (age time.Duration, holds bool) {
	if h.interval == 0 {
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(cmp.Or(h.released.at, h.made)), true
}

// Run takes samples until the context ends. It returns ErrFenced if the log no longer ends
// where the writer left it, and ErrNoLog if it is missing. While the servers do not answer, it
// releases nothing.
func (h *Holdback) Run(ctx context.Context) error {
	return retry.Every(ctx, sampleEvery, func() error {
		begun := time.Now()
		now, err := h.writer.look(ctx)
		switch {
		case errors.Is(err, ErrFenced), errors.Is(err, ErrNoLog), errors.Is(err, ErrTopicCut), errors.Is(err, ErrNoTopic):
			return err
		case err != nil:
			if ctx.Err() == nil {
				h.log.Debug("Cannot sample the log", "error", err)
			}
			return nil
		}
		h.add(now, begun)
		return nil
	})
}

// add adds a sample. The log was intact at the time seen, so samples that are two intervals
// older are on disk.
func (h *Holdback) add(now sample, seen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now.at = time.Now()
	h.samples = append(h.samples, now)
	for len(h.samples) > 0 && seen.Sub(h.samples[0].at) >= 2*h.interval {
		h.released, h.samples = h.samples[0], h.samples[1:]
	}
}

// End returns the last sequence that is on the servers' disks; 0: unknown.
func (h *Holdback) End() uint64 { return h.durable().end }

// durable returns the newest sample that is on disk, the zero sample if there is none.
func (h *Holdback) durable() sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.released
}

// look checks that the log ends where the writer left it.
func (w *Writer) look(ctx context.Context) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := w.o.Topic.look(ctx); err != nil {
		return sample{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	prefix := w.prefix()
	now := sample{prefix: w.o.Prefix().LSN, end: w.end, below: prefix.LSN, floor: w.floor(prefix)}
	_, err := w.written(ctx, nil) // which refreshes what largest knows of the stream, too
	return now, err
}
