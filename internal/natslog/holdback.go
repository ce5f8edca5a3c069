package natslog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/retry"
)

// sampleEvery is how often a Holdback looks at the log.
const sampleEvery = time.Second

// Holdback keeps the slot from being confirmed beyond what the servers of the log have on
// disk. They sync at least every interval: what they have acknowledged before, and still have
// after it, survives the loss of their power. It is safe for concurrent use.
type Holdback struct {
	writer   *Writer
	interval time.Duration // 0: each message is synced before it is acknowledged
	log      *slog.Logger
	made     time.Time

	mu       sync.Mutex // guards all that follows
	samples  []sample   // the oldest first
	released sample     // the newest that may be confirmed
}

// sample is how far the log was at a time.
type sample struct {
	at     time.Time
	prefix cdc.LSN
	end    uint64  // last sequence
	high   cdc.LSN // newest commit in the log
}

// NewHoldback keeps back what the writer writes, for twice the interval.
func NewHoldback(w *Writer, interval time.Duration, log *slog.Logger) *Holdback {
	return &Holdback{writer: w, interval: interval, log: log, made: time.Now()}
}

// Hold is how much of the position may be confirmed. It does not block.
func (h *Holdback) Hold(position cdc.LSN) cdc.LSN {
	if h.interval == 0 {
		return position
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return min(position, h.released.prefix)
}

// Age is the age of the position up to which the slot may be confirmed; before there is one,
// the time since the Holdback was made. holds is false if nothing is held back.
func (h *Holdback) Age() (age time.Duration, holds bool) {
	if h.interval == 0 {
		return 0, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	since := h.released.at
	if since.IsZero() {
		since = h.made
	}
	return time.Since(since), true
}

// Run takes samples until the context ends, or until the log does not end where the writer
// left it, which it returns. While the servers do not answer, nothing more is released.
func (h *Holdback) Run(ctx context.Context) error {
	return retry.Every(ctx, sampleEvery, func() error {
		begun := time.Now()
		now, err := h.writer.look(ctx)
		switch {
		case errors.Is(err, ErrFenced), errors.Is(err, ErrNoLog), errors.Is(err, ErrTopicCut), errors.Is(err, ErrNoTopic):
			return err
		case err != nil:
			if ctx.Err() == nil {
				h.log.Debug("cannot look at the log", "error", err)
			}
			return nil
		}
		h.take(now, begun)
		return nil
	})
}

// take adds the sample. The log was seen at that time as the writer has left it, so the
// samples of two intervals before are on disk.
func (h *Holdback) take(now sample, seen time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now.at = time.Now()
	h.samples = append(h.samples, now)
	n := 0
	for n < len(h.samples) && seen.Sub(h.samples[n].at) >= 2*h.interval {
		h.released = h.samples[n]
		n++
	}
	h.samples = h.samples[n:]
}

// End is the last sequence that is on the servers' disks; 0: unknown.
func (h *Holdback) End() uint64 { return h.durable().end }

// durable is the newest sample that is on disk; the zero sample: there is none.
func (h *Holdback) durable() sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.released
}

// look makes sure that the log ends where the writer has left it.
func (w *Writer) look(ctx context.Context) (sample, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	now := sample{prefix: w.o.Prefix().LSN, end: w.end, high: w.high}
	if err := w.o.Topic.look(ctx); err != nil {
		return now, err
	}
	info, err := w.stream.Info(ctx)
	if err != nil {
		_, err := w.log.stream(ctx) // which says whether it is missing
		return now, err
	}
	if info.State.LastSeq != w.end {
		return now, ErrFenced
	}
	if w.end == 0 || info.State.Msgs == 0 {
		return now, nil
	}
	last, err := w.log.message(ctx, w.stream, w.end)
	if err != nil {
		return now, err
	}
	if last == nil || last.ID != w.endID {
		return now, ErrFenced
	}
	return now, nil
}
