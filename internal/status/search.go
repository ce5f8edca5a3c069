package status

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Search selects deliveries. The zero value of a field matches all.
type Search struct {
	Hook         int64
	Action       mapping.Action // in the hook's spelling
	Outcome      string         // result of an attempt: delivered, retried or dead
	State        state.State    // state of a stored delivery
	Reason       string         // reason of death
	Task         int64
	Annotation   int64
	Event        mapping.ID
	Since, Until time.Time
	Limit        int
}

// stored returns the filter for stored deliveries, by commit time.
func (s *Search) stored() state.Filter {
	return state.Filter{
		Hook: s.Hook, Event: s.Event, Action: s.Action, State: s.State, Since: s.Since, Until: s.Until,
		Task: s.Task, Reason: s.Reason, Limit: s.Limit, Annotation: s.Annotation,
	}
}

// mostListed bounds a list of deliveries.
const mostListed = 500

// searchOf reads a search; the error is shown to the client.
func searchOf(r *http.Request) (s Search, err error) {
	s = Search{
		Action: mapping.Action(r.FormValue("action")), Outcome: r.FormValue("outcome"), State: state.State(r.FormValue("state")),
		Reason: r.FormValue("reason"), Limit: 100,
	}
	if s.State != "" && s.State != state.Parked && s.State != state.Dead {
		return s, errors.New("state must be parked or dead")
	}
	switch s.Outcome {
	case "", "delivered", "retried", "dead":
	default:
		return s, errors.New("outcome must be delivered, retried or dead")
	}
	for name, into := range map[string]*int64{"hook": &s.Hook, "task": &s.Task, "annotation": &s.Annotation} {
		if text := r.FormValue(name); text != "" {
			if *into, err = strconv.ParseInt(text, 10, 64); err != nil || *into == 0 || *into < 0 && name != "hook" { // an administrator may number hooks below 0
				return s, errors.New(name + " must be an id")
			}
		}
	}
	for name, into := range map[string]*time.Time{"since": &s.Since, "until": &s.Until} {
		if text := r.FormValue(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return s, errors.New(name + " must be a time such as 2026-11-28T21:30:00Z")
			}
		}
	}
	if text := r.FormValue("event"); text != "" {
		if s.Event, err = state.ParseID(text); err != nil {
			return s, err
		}
	}
	if text := r.FormValue("limit"); text != "" {
		if s.Limit, err = strconv.Atoi(text); err != nil || s.Limit < 1 || s.Limit > mostListed {
			return s, errors.New("limit must be a number from 1 to 500")
		}
	}
	return s, nil
}

// searched reads the search of an admitted request. If ok is false, the request has been
// answered.
func (h *handler) searched(w http.ResponseWriter, r *http.Request) (s Search, p pass, ok bool) {
	if p, ok = h.admit(w, r); !ok {
		return s, p, false
	}
	s, err := searchOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return s, p, false
	}
	return s, p, true
}

// history answers with attempts, newest first.
func (h *handler) history(w http.ResponseWriter, r *http.Request) {
	s, pass, ok := h.searched(w, r)
	if !ok {
		return
	}
	attempts, err := h.Program.History(r.Context(), s, pass.valid)
	if err != nil {
		h.fail(w, r, "list attempts", err)
		return
	}
	if attempts == nil {
		attempts = []Attempt{}
	}
	reply(w, http.StatusOK, struct {
		Attempts []Attempt `json:"attempts"`
		More     bool      `json:"more"` // more may match
	}{attempts, len(attempts) == s.Limit})
}

func (h *handler) deliveries(w http.ResponseWriter, r *http.Request) {
	s, _, ok := h.searched(w, r)
	if !ok {
		return
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	rows, err := h.Program.Stored(ctx, s.stored())
	if err != nil {
		h.fail(w, r, "list deliveries", err)
		return
	}
	if rows == nil {
		rows = []Stored{}
	}
	reply(w, http.StatusOK, struct {
		Deliveries []Stored `json:"deliveries"`
		More       bool     `json:"more"` // more may match
	}{rows, len(rows) == s.Limit})
}

func (h *handler) series(w http.ResponseWriter, r *http.Request) {
	if _, ok := h.admit(w, r); !ok {
		return
	}
	series, err := h.Program.Series(r.Context())
	if err != nil {
		h.fail(w, r, "show the last hour", err)
		return
	}
	reply(w, http.StatusOK, series)
}
