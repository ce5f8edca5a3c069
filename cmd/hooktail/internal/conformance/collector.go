package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Collector replaces all hooks: it answers each POST to /h/{hook id} with 200 and records
// it. The zero value is ready for use; it is safe for concurrent use.
type Collector struct {
	mu       sync.Mutex
	requests []Request
	faults   []string
	arrival  chan struct{} // closed by the next arrival; nil: nothing waits
}

// ServeHTTP records the request. It has arrived when its body has been read.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request, err := received(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.faults = append(c.faults, err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
	} else {
		c.requests = append(c.requests, request)
	}
	if c.arrival != nil {
		close(c.arrival)
		c.arrival = nil
	}
}

func received(r *http.Request) (Request, error) {
	id, found := strings.CutPrefix(r.URL.Path, "/h/")
	hook, err := strconv.ParseInt(id, 10, 64)
	if !found || err != nil || r.Method != http.MethodPost {
		return Request{}, fmt.Errorf("unexpected request %s %s", r.Method, r.URL.Path)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Request{}, fmt.Errorf("read the body of hook %d: %w", hook, err)
	}
	var payload struct{ Action string }
	if err := json.Unmarshal(body, &payload); err != nil {
		return Request{}, fmt.Errorf("parse the body of hook %d: %w", hook, err)
	}
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return Request{Hook: hook, Action: payload.Action, Headers: headers, Body: body}, nil
}

// Requests returns the requests since the last Take, in order of arrival.
func (c *Collector) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

// Take returns the result of Requests and clears it.
func (c *Collector) Take() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.requests
	c.requests = nil
	return taken
}

// Wait returns when each hook has got at least that many requests since the last Take. If
// ctx ends first, the error names the hooks that lack some; a request that no hook could
// get is an immediate error.
func (c *Collector) Wait(ctx context.Context, want map[int64]int) error {
	for {
		lacking, arrival, err := c.lacking(want)
		if err != nil || lacking == "" {
			return err
		}
		select {
		case <-arrival:
		case <-ctx.Done():
			return fmt.Errorf("wait for requests: %w; %s", context.Cause(ctx), lacking)
		}
	}
}

// lacking describes the hooks with fewer requests than wanted, and returns a channel that
// the next arrival closes.
func (c *Collector) lacking(want map[int64]int) (hooks string, arrival <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.faults) > 0 {
		return "", nil, fmt.Errorf("collect requests: %s", strings.Join(c.faults, "; "))
	}
	got := map[int64]int{}
	for _, r := range c.requests {
		got[r.Hook]++
	}
	var all []string
	for _, hook := range slices.Sorted(maps.Keys(want)) {
		if got[hook] < want[hook] {
			all = append(all, fmt.Sprintf("hook %d has %d of %d", hook, got[hook], want[hook]))
		}
	}
	if c.arrival == nil {
		c.arrival = make(chan struct{})
	}
	return strings.Join(all, ", "), c.arrival, nil
}
