package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Program is the running hooktail. Its methods are safe for concurrent use.
type Program interface {
	// Report returns the present state. It does not query the database and does not
	// block.
	Report(ctx context.Context, q Query) Report

	// Stored returns the stored deliveries that match the filter, without their bodies.
	Stored(ctx context.Context, f state.Filter) ([]Stored, error)

	// History returns the matching attempts that are remembered, newest first.
	History(ctx context.Context, s Search, payloads bool) ([]Attempt, error)

	// Past returns the events of the log that match, newest first. It returns what it has
	// found when ctx ends.
	Past(ctx context.Context, s Search) (Past, error)

	// Series returns the figures of the last hour.
	Series(ctx context.Context) (Series, error)

	// Payload returns the body of a request; nil if it is no longer kept.
	Payload(ctx context.Context, p Payload) ([]byte, error)

	// Act carries out the action.
	Act(ctx context.Context, a Action) (Done, error)
}

// Query selects the content of a Report.
type Query struct {
	After    uint64 // only attempts after this one
	Payloads bool   // include payloads: the reader may see them
	Pulses   bool   // include each hook's last hour in steps

	Partitions bool // include each partition of the log

	Hooks int    // limit of hooks, those that need attention first; 0: all, in order of id
	Find  string // only hooks that match this text; "": all
	Hook  int64  // this hook as well, at the end if it is not among them; 0: none
}

// Payload selects a body: that of a remembered attempt, of a stored delivery, or of an
// event of the log.
type Payload struct {
	Seq      uint64
	Hook     int64
	Event    mapping.ID
	Position uint64 // in the log
}

// ErrStandby is returned by a Program whose instance is not the leader.
var ErrStandby = errors.New("this instance is not the leader: ask the leader")

// Options configures a Handler.
type Options struct {
	Program Program
	Token   string // allows viewing payloads and acting; "": disabled
	Log     *slog.Logger
}

// handler answers everything but probes and metrics.
type handler struct {
	Options
	gate    *gate
	watched chan struct{} // holds a token for each live page
}

// Handler serves the page, /status, and the page's actions. It must be wrapped in
// CheckHost.
func Handler(o Options) http.Handler {
	h := &handler{Options: o, gate: newGate(o.Token), watched: make(chan struct{}, maxLive)}
	mux := http.NewServeMux()
	serveAssets(mux)
	mux.HandleFunc("GET /status", h.admitted(h.report))
	mux.HandleFunc("GET /status/live", h.admitted(h.live))
	mux.HandleFunc("GET /status/series", h.admitted(h.series))
	mux.HandleFunc("GET /status/history", h.admitted(h.history))
	mux.HandleFunc("GET /status/log", h.admitted(h.past))
	mux.HandleFunc("GET /status/deliveries", h.admitted(h.deliveries))
	mux.HandleFunc("GET /status/payload", h.admitted(h.payload))
	mux.HandleFunc("GET /session", h.admitted(h.session))
	mux.HandleFunc("POST /session", h.answered(h.logIn))
	mux.HandleFunc("POST /session/end", h.answered(h.logOut))
	mux.HandleFunc("POST /act", h.admitted(h.act))
	return protect(mux)
}

// answered replies with what do returns, or with its error; with nothing if it has
// answered itself.
func (h *handler) answered(do func(w http.ResponseWriter, r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := do(w, r)
		switch {
		case err != nil:
			h.fail(w, r, err)
		case value != nil:
			reply(w, http.StatusOK, value)
		}
	}
}

// admitted is answered for a request with the rights that admit finds.
func (h *handler) admitted(do func(w http.ResponseWriter, r *http.Request, p pass) (any, error)) http.HandlerFunc {
	return h.answered(func(w http.ResponseWriter, r *http.Request) (any, error) {
		p, err := h.admit(w, r)
		if err != nil {
			return nil, err
		}
		return do(w, r, p)
	})
}

func (h *handler) report(_ http.ResponseWriter, r *http.Request, p pass) (any, error) {
	q, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	q.Payloads = p.valid
	return h.reportOf(r.Context(), q), nil
}

func (h *handler) reportOf(ctx context.Context, q Query) Report {
	report := h.Program.Report(ctx, q)
	report.Admin, report.Authorized = h.Token != "", q.Payloads
	return report
}

func queryOf(r *http.Request) (q Query, err error) {
	q.Pulses = r.FormValue("pulses") == "1"
	q.Partitions = r.FormValue("partitions") == "1"
	q.Find = strings.TrimSpace(r.FormValue("find"))
	switch {
	case formValue(r, "after", &q.After, unsigned) != nil:
		err = &refusal{http.StatusBadRequest, "after must be the seq of an attempt"}
	case formValue(r, "hooks", &q.Hooks, positive) != nil:
		err = &refusal{http.StatusBadRequest, "hooks must be the maximum number of hooks"}
	case formValue(r, "hook", &q.Hook, signed) != nil:
		err = &refusal{http.StatusBadRequest, "hook is the id of a hook"}
	}
	return q, err
}

// within bounds queries to the database.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*time.Second)
}

// payload serves a body, if the request may see it: by the seq of an attempt, or by hook
// and event, or by hook and position in the log.
func (h *handler) payload(w http.ResponseWriter, r *http.Request, pass pass) (any, error) {
	if !pass.valid {
		return nil, &refusal{http.StatusUnauthorized, "payloads are only shown with HOOKTAIL_ADMIN_TOKEN"}
	}
	var p Payload
	var err error
	if text := r.FormValue("seq"); text != "" {
		p.Seq, err = unsigned(text)
	} else if p.Hook, err = signed(r.FormValue("hook")); err == nil {
		if text := r.FormValue("position"); text != "" {
			p.Position, err = unsigned(text)
		} else {
			p.Event, err = state.ParseID(r.FormValue("event"))
		}
	}
	if err != nil || p.Seq == 0 && (p.Hook == 0 || p.Position == 0 && p.Event == mapping.ID{}) { // 0 would select all
		return nil, &refusal{http.StatusBadRequest, "select a payload by seq, by hook and event, or by hook and position"}
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	body, err := h.Program.Payload(ctx, p)
	switch {
	case err != nil:
		return nil, failure{"read payload", err}
	case body == nil:
		return nil, &refusal{http.StatusNotFound, "this payload is no longer kept"}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the reader may have gone
	return nil, nil
}

// refusal is an answer other than 200, with the reason.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

// failure is an error of the Program.
type failure struct {
	to string // what it was to do
	error
}

func (f failure) Unwrap() error { return f.error }

// fail answers with a refusal, or with a general error whose details it logs: the reader
// need not see the message of the database or of NATS.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	refused, isRefused := errors.AsType[*refusal](err)
	problem, isProblem := errors.AsType[*Problem](err)
	failed, _ := errors.AsType[failure](err)
	switch {
	case isRefused:
		refuse(w, refused.status, refused.why)
	case isProblem:
		refuse(w, http.StatusServiceUnavailable, problem.Why)
	case errors.Is(err, ErrStandby):
		if reason := h.Program.Report(r.Context(), Query{}).Reason; reason != "" { // perhaps there is no leader
			refuse(w, http.StatusServiceUnavailable, "this instance is not ready: "+reason)
			return
		}
		refuse(w, http.StatusConflict, err.Error())
	case errors.Is(err, ErrNoPast):
		refuse(w, http.StatusNotFound, err.Error())
	case r.Context().Err() != nil:
	default:
		h.Log.WarnContext(r.Context(), "cannot answer the status page", "to", failed.to, "error", failed.error)
		refuse(w, http.StatusServiceUnavailable, "no answer: see the log of hooktail")
	}
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the reader may have gone
}

func refuse(w http.ResponseWriter, status int, why string) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{why})
}
