package status

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Search selects deliveries, stored ones by its Filter. The zero value of a field matches
// all.
type Search struct {
	state.Filter
	Outcome string // result of an attempt: delivered, retried or dead
}

// mostListed bounds a list of deliveries.
const mostListed = 500

func searchOf(r *http.Request) (Search, error) {
	s := Search{Outcome: r.FormValue("outcome"), Filter: state.Filter{
		Action: mapping.Action(r.FormValue("action")), State: state.State(r.FormValue("state")), Reason: r.FormValue("reason"), Limit: 100,
	}}
	var faults []string
	if s.State != "" && s.State != state.Parked && s.State != state.Dead {
		faults = append(faults, "state must be parked or dead")
	}
	if !slices.Contains([]string{"", "delivered", "retried", "dead"}, s.Outcome) {
		faults = append(faults, "outcome must be delivered, retried or dead")
	}
	for name, into := range map[string]*int64{"hook": &s.Hook, "task": &s.Task, "annotation": &s.Annotation} {
		err := formValue(r, name, into, signed)
		if given := r.FormValue(name) != ""; err != nil || given && *into == 0 || *into < 0 && name != "hook" { // an administrator may number hooks below 0
			faults = append(faults, name+" must be an id")
		}
	}
	for name, into := range map[string]*time.Time{"since": &s.Since, "until": &s.Until} {
		if formValue(r, name, into, func(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) }) != nil {
			faults = append(faults, name+" must be a time such as 2026-11-28T21:30:00Z")
		}
	}
	if err := formValue(r, "event", &s.Event, state.ParseID); err != nil {
		faults = append(faults, err.Error())
	}
	if formValue(r, "limit", &s.Limit, positive) != nil || s.Limit > mostListed {
		faults = append(faults, "limit must be a number from 1 to 500")
	}
	if len(faults) > 0 {
		return s, &refusal{http.StatusBadRequest, faults[0]}
	}
	return s, nil
}

// formValue reads a value of the request's form. It leaves into alone if there is none.
func formValue[T any](r *http.Request, name string, into *T, parse func(string) (T, error)) (err error) {
	if text := r.FormValue(name); text != "" {
		*into, err = parse(text)
	}
	return err
}

func signed(text string) (int64, error)    { return strconv.ParseInt(text, 10, 64) }
func unsigned(text string) (uint64, error) { return strconv.ParseUint(text, 10, 64) }

func positive(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if n < 1 {
		err = strconv.ErrRange
	}
	return n, err
}

func (h *handler) history(_ http.ResponseWriter, r *http.Request, pass pass) (any, error) {
	s, err := searchOf(r)
	if err != nil {
		return nil, err
	}
	attempts, err := h.Program.History(r.Context(), s, pass.valid)
	if err != nil {
		return nil, failure{"list attempts", err}
	}
	return struct {
		Attempts []Attempt `json:"attempts"`
		More     bool      `json:"more"` // more may match
	}{append([]Attempt{}, attempts...), len(attempts) == s.Limit}, nil
}

func (h *handler) deliveries(_ http.ResponseWriter, r *http.Request, _ pass) (any, error) {
	s, err := searchOf(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	rows, err := h.Program.Stored(ctx, s.Filter)
	if err != nil {
		return nil, failure{"list deliveries", err}
	}
	return struct {
		Deliveries []Stored `json:"deliveries"`
		More       bool     `json:"more"` // more may match
	}{append([]Stored{}, rows...), len(rows) == s.Limit}, nil
}

func (h *handler) series(_ http.ResponseWriter, r *http.Request, _ pass) (any, error) {
	series, err := h.Program.Series(r.Context())
	if err != nil {
		return nil, failure{"show the last hour", err}
	}
	return series, nil
}

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
