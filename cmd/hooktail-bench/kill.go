package main

import (
	"context"
	"syscall"
	"time"
)

// killRate is the number of annotations per second while hooktail is killed.
const killRate = 500

// labelStudioPause is Label Studio's median pause between two transactions of an
// annotation.
const labelStudioPause = 18 * time.Millisecond

// settling makes hooktail wait for the end of actions, as it does by default.
const settling = "HOOKTAIL_SETTLE=1s"

// kill kills hooktail under load, several times, and counts what its successor sends
// again: deliveries that were made and not yet confirmed.
func kill(ctx context.Context, b *bench) error {
	n := b.size(5, 2) * killRate
	return b.repeat(ctx, plan{reps: b.reps(3, 2), tasks: n, hooks: 1}, func(s *stage, rep int) error {
		return s.killed(ctx, rep, n)
	})
}

// killed makes one kill, in the middle of the load.
func (s *stage) killed(ctx context.Context, rep, n int) error {
	d := drained{of: hooktail, env: []string{settling}}
	p, err := s.warm(ctx, d)
	if err != nil {
		return err
	}
	defer p.end()
	t := s.expect(n)
	saved := make(chan error, 1)
	go func() {
		_, err := save(ctx, s.dsn, t.first, n, users{32, killRate, labelStudioPause})
		saved <- err
	}()
	// Each repetition kills at another point of the confirmation interval.
	_ = wait(ctx, time.Duration(n)*time.Second/killRate/2+time.Duration(rep)*23*time.Millisecond) // save returns the context's error, too
	p.stop(syscall.SIGKILL)
	arrived := int64(n) - t.left.Load()
	d.slot = p.slot
	next, err := s.start(d)
	if err != nil {
		return err
	}
	defer next.end()
	if err := <-saved; err != nil {
		return err
	}
	if err := next.await(ctx, t.done, t); err != nil {
		return err
	}
	out := newSample("kill", hooktail, "", rep)
	out.set("again", float64(t.again.Load()))
	out.set("before", float64(arrived))
	return s.finish(ctx, next, out)
}
