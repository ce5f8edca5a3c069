package status

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Logged is an event of the log. The log knows no attempts.
type Logged struct {
	Position  uint64    `json:"position"` // in the log
	Hook      int64     `json:"hook"`
	Event     string    `json:"event"`
	Action    string    `json:"action"`
	Project   int64     `json:"project,omitempty"`
	Task      int64     `json:"task,omitempty"`
	Committed time.Time `json:"committed"`
	Bytes     int       `json:"bytes,omitempty"` // of the payload; missing: there is none, or it is in the table log_body
}

// Past is what the log has of a hook's events, the newest first.
type Past struct {
	Events  []Logged `json:"events"`
	More    bool     `json:"more"`    // older ones match
	Partial bool     `json:"partial"` // the time ended: older ones may match
}

// ErrNoPast is returned by a Program without a log, or with one that keeps nothing.
var ErrNoPast = errors.New("no log keeps events: set HOOKTAIL_NATS_URL and HOOKTAIL_KEEP for the events to come")

// past answers with events of the log.
func (h *handler) past(_ http.ResponseWriter, r *http.Request, _ pass) (any, error) {
	s, err := searchOf(r)
	switch {
	case err != nil:
		return nil, err
	case s.Hook == 0:
		return nil, &refusal{http.StatusBadRequest, "hook must be the id of a hook"}
	case s.Outcome != "" || s.State != "" || s.Reason != "" || s.Annotation != 0:
		return nil, &refusal{http.StatusBadRequest, "the log has events, not attempts: search by action, task, event, since and until"}
	}
	ctx, cancel := context.WithTimeout(r.Context(), pastWithin)
	defer cancel()
	past, err := h.Program.Past(ctx, s)
	if err != nil {
		return nil, failure{"read the log", err}
	}
	past.Events = append([]Logged{}, past.Events...) // never null
	return past, nil
}

// pastWithin bounds reading the log.
const pastWithin = 5 * time.Second
