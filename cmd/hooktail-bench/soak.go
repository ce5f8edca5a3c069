package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// soaked is the interval between two samples of the soak.
const soaked = 10 * time.Second

// soak is a long run at a modest rate. It samples the process's memory, goroutines and
// heap.
func soak(ctx context.Context, b *bench) error {
	n := int(b.o.soak.Seconds()) * b.o.rate
	return b.repeat(ctx, plan{reps: 1, tasks: n, hooks: 1}, func(s *stage, _ int) error { return s.soak(ctx, n) })
}

func (s *stage) soak(ctx context.Context, n int) error {
	ops, err := unusedAddress()
	if err != nil {
		return err
	}
	p, err := s.warm(ctx, drained{of: hooktail, env: []string{"HOOKTAIL_HTTP_ADDR=" + ops}})
	if err != nil {
		return err
	}
	defer p.end()
	t := s.expect(n)
	looks, done := make(chan error, 1), make(chan struct{})
	go func() { looks <- s.b.look(ctx, p, ops, done) }()
	committed, err := s.trickle(ctx, t.first, n, s.b.o.rate)
	if err == nil {
		err = p.await(ctx, t.done, t)
	}
	close(done)
	if err := cmp.Or(err, <-looks); err != nil {
		return err
	}
	took := t.since(committed)
	for part, name := range []string{"first tenth", "last tenth"} {
		from := part * (n - n/10)
		out := newSample("soak", hooktail, name, part)
		out.percentiles(took[from:from+n/10], 50, 99)
		out.set("again", float64(t.again.Load()))
		if err := s.b.record(out); err != nil {
			return err
		}
	}
	return nil
}

// look takes samples until done is closed.
func (b *bench) look(ctx context.Context, p *program, ops string, done <-chan struct{}) error {
	tick := time.NewTicker(soaked)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		metrics, err := gauges(ctx, ops)
		if err != nil {
			return err
		}
		out := newSample("soak look", hooktail, "", i)
		if err := out.resident(p); err != nil {
			return err
		}
		out.set("rss_mib", metrics["process_resident_memory_bytes"]/(1<<20))
		out.set("heap_mib", metrics["go_memstats_heap_alloc_bytes"]/(1<<20))
		out.set("goroutines", metrics["go_goroutines"])
		out.set("fds", metrics["process_open_fds"])
		if err := b.record(out); err != nil {
			return err
		}
	}
}

// gauges returns the metrics without labels.
func gauges(ctx context.Context, ops string) (map[string]float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // the body was read
	found := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			found[name] = v
		}
	}
	return found, lines.Err()
}
