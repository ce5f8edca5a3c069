package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Program is the hooktail that runs. Its methods are called by many goroutines at
// once.
type Program interface {
	// Report is how things stand. It asks nobody else, and does not wait.
	Report(ctx context.Context, q Query) Report

	// Stored is the stored deliveries that the filter means, without their bodies.
	Stored(ctx context.Context, f state.Filter) ([]Stored, error)

	// Payload is the body of a request; nil if it is not there any more.
	Payload(ctx context.Context, p Payload) ([]byte, error)

	// Act does what a person has asked for.
	Act(ctx context.Context, a Action) (Done, error)
}

// Query says what is wanted of a Report.
type Query struct {
	After    uint64 // of the last attempts, those after this one
	Payloads bool   // whether payloads may be seen
}

// Payload says which body is meant: that of an attempt that is remembered, or of a
// stored delivery.
type Payload struct {
	Seq   uint64
	Hook  int64
	Event mapping.ID
}

// ErrStandby is a Program's answer where another instance leads.
var ErrStandby = errors.New("this instance does not lead: ask the one that does")

// Options is what a Handler needs.
type Options struct {
	Program Program
	Token   string // who has it may see payloads and act; "": nobody may
	Log     *slog.Logger
}

// handler answers everything but probes and metrics.
type handler struct {
	Options
	gate *gate
}

// Handler is the page, /status, and what may be done there. CheckHost has to stand before
// it.
func Handler(o Options) http.Handler {
	h := &handler{Options: o, gate: newGate(o.Token)}
	mux := http.NewServeMux()
	serveAssets(mux)
	mux.HandleFunc("GET /status", h.report)
	mux.HandleFunc("GET /status/deliveries", h.deliveries)
	mux.HandleFunc("GET /status/payload", h.payload)
	mux.HandleFunc("GET /session", h.session)
	mux.HandleFunc("POST /session", h.logIn)
	mux.HandleFunc("POST /session/end", h.logOut)
	mux.HandleFunc("POST /act", h.act)
	return protect(mux)
}

func (h *handler) report(w http.ResponseWriter, r *http.Request) {
	pass, ok := h.admit(w, r)
	if !ok {
		return
	}
	q := Query{Payloads: pass.valid}
	if text := r.FormValue("after"); text != "" {
		after, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			refuse(w, http.StatusBadRequest, "after is the seq of an attempt")
			return
		}
		q.After = after
	}
	report := h.Program.Report(r.Context(), q)
	report.Admin, report.Authorized = h.Token != "", pass.valid
	reply(w, http.StatusOK, report)
}

// mostListed bounds a list of stored deliveries.
const mostListed = 500

// within bounds what is asked of the database for somebody.
const within = 10 * time.Second

func (h *handler) deliveries(w http.ResponseWriter, r *http.Request) {
	if _, ok := h.admit(w, r); !ok {
		return
	}
	f, err := filterOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), within)
	defer cancel()
	rows, err := h.Program.Stored(ctx, f)
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
	}{rows, len(rows) == f.Limit})
}

func filterOf(r *http.Request) (state.Filter, error) {
	f := state.Filter{
		Action: mapping.Action(r.FormValue("action")), State: state.State(r.FormValue("state")), Reason: r.FormValue("reason"), Limit: 100,
	}
	if f.State != "" && f.State != state.Parked && f.State != state.Dead {
		return f, errors.New("state is parked or dead")
	}
	if text := r.FormValue("hook"); text != "" {
		hook, err := strconv.ParseInt(text, 10, 64)
		if err != nil || hook <= 0 {
			return f, errors.New("hook is the id of a hook")
		}
		f.Hook = hook
	}
	if text := r.FormValue("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > mostListed {
			return f, errors.New("limit is a number from 1 to 500")
		}
		f.Limit = limit
	}
	return f, nil
}

// payload shows a body to who may see it: by the seq of an attempt, or by hook and
// event.
func (h *handler) payload(w http.ResponseWriter, r *http.Request) {
	pass, ok := h.admit(w, r)
	if !ok {
		return
	}
	if !pass.valid {
		refuse(w, http.StatusUnauthorized, "payloads are shown to those who have HOOKTAIL_ADMIN_TOKEN")
		return
	}
	var p Payload
	var err error
	if text := r.FormValue("seq"); text != "" {
		p.Seq, err = strconv.ParseUint(text, 10, 64)
	} else if p.Hook, err = strconv.ParseInt(r.FormValue("hook"), 10, 64); err == nil {
		p.Event, err = state.ParseID(r.FormValue("event"))
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "a payload is asked for by seq, or by hook and event")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), within)
	defer cancel()
	body, err := h.Program.Payload(ctx, p)
	switch {
	case err != nil:
		h.fail(w, r, "read payload", err)
	case body == nil:
		refuse(w, http.StatusNotFound, "this payload is not kept any more")
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the reader may have gone
	}
}

// fail says that something went wrong, and logs what: the reader need not know the
// database's words.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, what string, err error) {
	switch {
	case errors.Is(err, ErrStandby):
		refuse(w, http.StatusConflict, err.Error())
	case r.Context().Err() != nil:
	default:
		h.Log.WarnContext(r.Context(), "the status page was not answered", "to", what, "error", err)
		refuse(w, http.StatusServiceUnavailable, "the database did not answer: see the log")
	}
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the reader may have gone
}

// refuse answers with a reason in words.
func refuse(w http.ResponseWriter, status int, why string) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{why})
}
