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

// Program is the hooktail that runs. Its methods are called by many goroutines at
// once.
type Program interface {
	// Report is how things stand. It asks nobody else, and does not wait.
	Report(ctx context.Context, q Query) Report

	// Stored is the stored deliveries that the filter means, without their bodies.
	Stored(ctx context.Context, f state.Filter) ([]Stored, error)

	// History is the attempts that are meant, the newest first, as far as they are
	// remembered.
	History(ctx context.Context, s Search, payloads bool) ([]Attempt, error)

	// Series is the last hour in figures.
	Series(ctx context.Context) (Series, error)

	// Payload is the body of a request; nil if it is not there any more.
	Payload(ctx context.Context, p Payload) ([]byte, error)

	// Act does what a person has asked for.
	Act(ctx context.Context, a Action) (Done, error)
}

// Query says what is wanted of a Report.
type Query struct {
	After    uint64 // of the last attempts, those after this one
	Payloads bool   // whether payloads may be seen
	Pulses   bool   // whether each hook's last hour is wanted in steps

	Hooks int    // at most so many hooks, those that need a person first; 0: all, in order of id
	Find  string // only hooks that are Found by this text; "": all
	Hook  int64  // this hook as well, at the end if it is not among them; 0: none
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
	gate    *gate
	watched chan struct{} // has a token for each page that is told
}

// Handler is the page, /status, and what may be done there. CheckHost has to stand before
// it.
func Handler(o Options) http.Handler {
	h := &handler{Options: o, gate: newGate(o.Token), watched: make(chan struct{}, maxLive)}
	mux := http.NewServeMux()
	serveAssets(mux)
	mux.HandleFunc("GET /status", h.report)
	mux.HandleFunc("GET /status/live", h.live)
	mux.HandleFunc("GET /status/series", h.series)
	mux.HandleFunc("GET /status/history", h.history)
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

// queryOf reads what is wanted of a report. After false it has been answered.
func queryOf(w http.ResponseWriter, r *http.Request) (q Query, ok bool) {
	q.Pulses = r.FormValue("pulses") == "1"
	q.Find = strings.TrimSpace(r.FormValue("find"))
	var err error
	if text := r.FormValue("after"); text != "" {
		if q.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			refuse(w, http.StatusBadRequest, "after is the seq of an attempt")
			return q, false
		}
	}
	if text := r.FormValue("hooks"); text != "" {
		if q.Hooks, err = strconv.Atoi(text); err != nil || q.Hooks < 1 {
			refuse(w, http.StatusBadRequest, "hooks is how many hooks are wanted at most")
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

// within bounds what is asked of the database for somebody.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 10*time.Second)
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
	ctx, cancel := within(r.Context())
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
