package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// played replays the recorded transactions of Label Studio, with their own pauses, to
// hooktail with default settings.
func played(ctx context.Context, b *bench) error {
	film, err := readFilm(ctx)
	if err != nil {
		return err
	}
	for rep := range b.reps(1, 1) {
		if err := b.repeat(ctx, plan{reps: 1, recorded: true}, func(s *stage, _ int) error { return s.played(ctx, rep, film) }); err != nil {
			return err
		}
	}
	return nil
}

// The recorded hook that gets all events of its organization.
const (
	allActions      = "/h/6"
	recordedAddress = "127.0.0.1:9900"
)

// came is one request to that hook.
type came struct {
	at         time.Time
	commit     string // time in its header
	committed  time.Time
	annotation bool
}

// audience answers 200 and keeps the requests to that hook. It is safe for concurrent use.
type audience struct {
	opened chan struct{} // closed with the first request

	mu       sync.Mutex
	requests []came
}

// ServeHTTP is called by the senders.
func (a *audience) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != allActions {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests == nil {
		close(a.opened)
	}
	a.requests = append(a.requests, came{
		at: at, commit: r.Header.Get("hooktail-commit-time"), annotation: strings.HasPrefix(string(body), `{"action": "ANNOTATION`),
	})
}

// all returns the requests, in order of their arrival.
func (a *audience) all() []came {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

// String tells what has arrived.
func (a *audience) String() string { return fmt.Sprintf("%d requests arrived", len(a.all())) }

// theEnd is longer than an event waits whose action shows no end.
const theEnd = 1500 * time.Millisecond

// scene is a scenario that was played.
type scene struct {
	take
	began, last time.Time // its first and last transaction
	requests    []came
}

// assign adds each request to the scenario in which its event was committed.
func assign(scenes []scene, requests []came) error {
	for _, c := range requests {
		commit, err := time.Parse(time.RFC3339Nano, c.commit)
		if err != nil {
			return fmt.Errorf("read the commit time: %w", err)
		}
		c.committed = commit
		of := slices.IndexFunc(scenes, func(s scene) bool { return commit.Before(s.began) })
		if of < 0 {
			of = len(scenes)
		}
		if of > 0 {
			scenes[of-1].requests = append(scenes[of-1].requests, c)
		}
	}
	return nil
}

func (s *stage) played(ctx context.Context, rep int, film []take) error {
	hall := &audience{opened: make(chan struct{})}
	server := httptest.NewServer(hall)
	defer server.Close()
	address := server.Listener.Addr().String()
	if err := s.exec(ctx, fmt.Sprintf("UPDATE webhook SET url = replace(url, '%s', '%s')", recordedAddress, address)); err != nil {
		return err
	}
	d := drained{of: hooktail, env: []string{settling}}
	if err := s.open(ctx, &d); err != nil {
		return err
	}
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	if err := s.exec(ctx, "RESET session_replication_role; UPDATE public.project SET title = title || ' (warm)'"); err != nil {
		return err
	}
	if err := p.await(ctx, hall.opened, hall); err != nil { // its start is not part of a call
		return err
	}
	var scenes []scene
	var before time.Time
	for _, t := range film {
		played, err := s.play(ctx, t, address, before)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", t.name, err)
		}
		before = played.last
		if !played.began.IsZero() {
			scenes = append(scenes, played)
		}
	}
	if err := wait(ctx, theEnd); err != nil {
		return err
	}
	if err := assign(scenes, hall.all()); err != nil {
		return err
	}
	var late []time.Duration
	annotations, shown := 0, 0
	for _, scene := range scenes {
		if scene.single {
			r := scene.review()
			late, annotations, shown = append(late, r.late...), annotations+r.annotations, shown+r.shown
		}
	}
	if len(late) == 0 {
		return fmt.Errorf("nothing came: %s", p.stderr)
	}
	out := newSample("played", hooktail, "", rep)
	out.percentiles(late, 50, 95)
	out.set("shown", float64(shown)/float64(annotations))
	return s.finish(ctx, p, out)
}

// reviewed is the result of one call: for each kind of event, the time from the last
// commit that the event shows to its arrival; and the number of annotation events, and of
// those that showed the end of their action.
type reviewed struct {
	late               []time.Duration
	annotations, shown int
}

// byBound separates events that leave at the end of their action from those that wait for
// the bound, a second after their commit.
const byBound = 800 * time.Millisecond

// review counts a call once for each kind of event, with the median of its events: an
// import of a hundred tasks is not a hundred calls.
func (s scene) review() (r reviewed) {
	kinds := map[bool][]time.Duration{}
	for _, c := range s.requests {
		after := c.after(s.last)
		if c.annotation {
			r.annotations++
		}
		if after >= byBound {
			continue
		}
		if c.annotation {
			r.shown++
		}
		kinds[c.annotation] = append(kinds[c.annotation], after)
	}
	for _, late := range kinds {
		slices.Sort(late)
		r.late = append(r.late, late[len(late)/2])
	}
	return r
}

// after returns the time from the last commit that the request shows to its arrival. For
// annotations that is the last commit of the call, else the event's own.
func (c came) after(last time.Time) time.Duration {
	if c.annotation {
		return max(0, c.at.Sub(last))
	}
	return c.at.Sub(c.committed)
}
