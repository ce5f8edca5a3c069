package status

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
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
	mux.HandleFunc("GET /status", h.report)
	mux.HandleFunc("GET /status/live", h.live)
	mux.HandleFunc("GET /status/series", h.series)
	mux.HandleFunc("GET /status/history", h.history)
	mux.HandleFunc("GET /status/log", h.past)
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
	q, ok := queryOf(w, r)
	if !ok {
		return
	}
	q.Payloads = pass.valid
	report := h.Program.Report(r.Context(), q)
	report.Admin, report.Authorized = h.Token != "", pass.valid
	reply(w, http.StatusOK, report)
}

// queryOf reads the query of a report. If ok is false, the request has been answered.
func queryOf(w http.ResponseWriter, r *http.Request) (q Query, ok bool) {
	q.Pulses = r.FormValue("pulses") == "1"
	q.Partitions = r.FormValue("partitions") == "1"
	q.Find = strings.TrimSpace(r.FormValue("find"))
	var err error
	if text := r.FormValue("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "after must be the seq of an attempt")
			return q, false
		}
	}
	if text := r.FormValue("hooks"); text != "" {
		if q.Hooks, err = strconv.Atoi(text); err != nil || q.Hooks < 1 {
			refuse(w, http.StatusBadRequest, "hooks must be the maximum number of hooks")
			return q, false
		}
	}
	if text := r.FormValue("hook"); text != "" {
		if q.Hook, err = strconv.ParseInt(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "hook is the id of a hook")
			return q, false
		}
	}
	return q, true
}

// within bounds queries to the database.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*time.Second)
}

// payload serves a body, if the request may see it: by the seq of an attempt, or by hook
// and event, or by hook and position in the log.
func (h *handler) payload(w http.ResponseWriter, r *http.Request) {
	pass, ok := h.admit(w, r)
	if !ok {
		return
	}
	if !pass.valid {
		refuse(w, http.StatusUnauthorized, "payloads are only shown with HOOKTAIL_ADMIN_TOKEN")
		return
	}
	var p Payload
	var err error
	if text := r.FormValue("seq"); text != "" {
		p.Seq, err = strconv.ParseUint(text, 10, 64)
	} else if p.Hook, err = strconv.ParseInt(r.FormValue("hook"), 10, 64); err == nil {
		if text := r.FormValue("position"); text != "" {
			p.Position, err = strconv.ParseUint(text, 10, 64)
		} else {
			p.Event, err = state.ParseID(r.FormValue("event"))
		}
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "select a payload by seq, by hook and event, or by hook and position")
		return
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	body, err := h.Program.Payload(ctx, p)
	switch {
	case err != nil:
		h.fail(w, r, "read payload", err)
	case body == nil:
		refuse(w, http.StatusNotFound, "this payload is no longer kept")
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the reader may have gone
	}
}

// fail answers with a general error and logs the details: the reader need not see the
// message of the database or of NATS.
func (h *handler) fail(w http.ResponseWriter, r *http.Request, what string, err error) {
	problem, isProblem := errors.AsType[*Problem](err)
	switch {
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
		h.Log.WarnContext(r.Context(), "cannot answer the status page", "to", what, "error", err)
		refuse(w, http.StatusServiceUnavailable, "no answer: see the log of hooktail")
	}
}

func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the reader may have gone
}

// refuse answers with the reason.
func refuse(w http.ResponseWriter, status int, why string) {
	reply(w, status, struct {
		Error string `json:"error"`
	}{why})
}
