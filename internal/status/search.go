package status

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Search says which deliveries are meant. The zero value of a field means any.
type Search struct {
	Hook         int64
	Action       mapping.Action // as the hook spells it
	Outcome      string         // of an attempt: delivered, retried or dead
	State        state.State    // of what is stored
	Reason       string         // of death
	Task         int64
	Annotation   int64
	Event        mapping.ID
	Since, Until time.Time
	Limit        int
}

// stored is what is meant of the stored deliveries: by time of their commits.
func (s *Search) stored() state.Filter {
	return state.Filter{
		Hook: s.Hook, Event: s.Event, Action: s.Action, State: s.State, Since: s.Since, Until: s.Until,
		Task: s.Task, Reason: s.Reason, Limit: s.Limit, Annotation: s.Annotation,
	}
}

// mostListed bounds a list of deliveries.
const mostListed = 500

// searchOf reads what is asked for; an error is for the one who asks.
func searchOf(r *http.Request) (s Search, err error) {
	s = Search{
		Action: mapping.Action(r.FormValue("action")), Outcome: r.FormValue("outcome"), State: state.State(r.FormValue("state")),
		Reason: r.FormValue("reason"), Limit: 100,
	}
	if s.State != "" && s.State != state.Parked && s.State != state.Dead {
		return s, errors.New("state is parked or dead")
	}
	switch s.Outcome {
	case "", "delivered", "retried", "dead":
	default:
		return s, errors.New("outcome is delivered, retried or dead")
	}
	for name, into := range map[string]*int64{"hook": &s.Hook, "task": &s.Task, "annotation": &s.Annotation} {
		if text := r.FormValue(name); text != "" {
			if *into, err = strconv.ParseInt(text, 10, 64); err != nil || *into <= 0 {
				return s, errors.New(name + " is the id of one")
			}
		}
	}
	for name, into := range map[string]*time.Time{"since": &s.Since, "until": &s.Until} {
		if text := r.FormValue(name); text != "" {
			if *into, err = time.Parse(time.RFC3339, text); err != nil {
				return s, errors.New(name + " is a time such as 2026-11-28T21:30:00Z")
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
			return s, errors.New("limit is a number from 1 to 500")
		}
	}
	return s, nil
}

// searched is what an admitted request searches for. ok is false where it has been
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

// history answers with attempts, the newest first.
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
		More     bool      `json:"more"` // there may be more than these
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
		More       bool     `json:"more"` // there may be more than these
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
