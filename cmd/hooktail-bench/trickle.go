package main

import (
	"context"
	"slices"
	"time"
)

// trickleRate is the number of annotations per second that a large team makes.
const trickleRate = 200

// trickle measures the time from the commit of an annotation to its arrival on a mostly
// idle machine.
func trickle(ctx context.Context, b *bench) error {
	n := b.size(2000, 600)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for rep := range b.reps(3, 2) {
		for _, of := range interleaved(rep) {
			if err := s.latency(ctx, of, rep, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) latency(ctx context.Context, of system, rep, n int) error {
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	p, err := s.warm(ctx, of, slot)
	if err != nil {
		return err
	}
	defer s.end(of, p)
	out := newSample("trickle", of, "", rep)
	first := s.annotations(n)
	t := s.b.receiver.expect(1, first, n)
	from, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	committed, err := s.trickle(ctx, first, n, trickleRate)
	if err != nil {
		return err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	took := make([]time.Duration, n)
	for i := range took {
		took[i] = t.arrived(i).Sub(committed[i])
	}
	slices.Sort(took)
	out.set("p50_ms", milliseconds(took[n/2]))
	out.set("p99_ms", milliseconds(took[n*99/100]))
	out.used(from, to, n)
	s.end(of, p)
	return s.b.record(out, s.drop(ctx, slot))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
