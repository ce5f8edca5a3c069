package status

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// What can be done.
const (
	Pause   = "pause"
	Resume  = "resume"
	Ping    = "ping"
	Redrive = "redrive"
	Discard = "discard"
	Retry   = "retry"  // try at once what waits
	Resend  = "resend" // send again what an attempt has sent
	Adopt   = "adopt"
	Release = "release"

	StartBackfill = "backfill"
	StopBackfill  = "stop_backfill"
)

// Action is what a person asks for. Redrive means dead deliveries, and Discard those
// of State; both take the event to one hook, or what is stored for the hook.
type Action struct {
	Do     string `json:"do"`
	Hook   int64  `json:"hook"`
	Event  string `json:"event,omitempty"`
	State  string `json:"state,omitempty"`  // parked or dead; dead unless given
	Action string `json:"action,omitempty"` // of the deliveries, as the hook spells it
	Reason string `json:"reason,omitempty"` // of their death
	Task   int64  `json:"task,omitempty"`

	Since time.Time `json:"since,omitzero"` // of their commits
	Until time.Time `json:"until,omitzero"`

	Seq uint64 `json:"seq,omitempty"` // of the attempt that Resend means

	Project int64 `json:"project,omitempty"` // of the rows of a backfill, of which Since is the creation
	DryRun  bool  `json:"dry_run,omitempty"`
}

// Done is what came of it.
type Done struct {
	Message  string    `json:"message"`
	Count    int64     `json:"count,omitempty"` // of deliveries
	Exchange *Exchange `json:"exchange,omitempty"`
}

// Exchange is what a ping has shown.
type Exchange struct {
	URL     string   `json:"url"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
	Status  int      `json:"status,omitempty"`
	Result  string   `json:"result"`
	Took    float64  `json:"took_seconds"`
	Answer  string   `json:"answer,omitempty"`
	Error   string   `json:"error,omitempty"`

	Redirect string `json:"redirect,omitempty"` // where the answer would lead; no redirect is followed
}

// Problem is an error of a Program that the person who asked is to read.
type Problem struct{ Why string }

func (p *Problem) Error() string { return p.Why }

func (h *handler) act(w http.ResponseWriter, r *http.Request) {
	pass, ok := h.admit(w, r)
	switch {
	case !ok:
		return
	case h.Token == "":
		refuse(w, http.StatusForbidden, "HOOKTAIL_ADMIN_TOKEN is not set: this page shows, and does nothing")
		return
	case !pass.valid:
		refuse(w, http.StatusUnauthorized, "log in, or send the token: Authorization: Bearer …")
		return
	case pass.csrf != "" && subtle.ConstantTimeCompare([]byte(pass.csrf), []byte(r.Header.Get("X-CSRF-Token"))) != 1:
		refuse(w, http.StatusForbidden, "the request does not come from the page that has logged in: reload it")
		return
	}
	var a Action
	if !read(w, r, &a) {
		return
	}
	if why := a.check(); why != "" {
		refuse(w, http.StatusBadRequest, why)
		return
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	done, err := h.Program.Act(ctx, a)
	if problem, ok := errors.AsType[*Problem](err); ok {
		refuse(w, http.StatusUnprocessableEntity, problem.Why)
		return
	}
	if err != nil {
		h.fail(w, r, a.Do, err)
		return
	}
	if !a.DryRun {
		h.Log.InfoContext(r.Context(), "Done on the status page", "action", a.Do, "hook", a.Hook, "event", a.Event, "from", addressOf(r), "result", done.Message)
	}
	reply(w, http.StatusOK, done)
}

// check says what is wrong with the request; "" if nothing is. No action is for all
// hooks at once.
func (a *Action) check() string {
	if a.Hook == 0 {
		return "hook is the id of a hook"
	}
	switch a.Do {
	case Resend:
		if a.Seq == 0 || *a != (Action{Do: Resend, Hook: a.Hook, Seq: a.Seq}) {
			return "resend takes a hook and the seq of an attempt, and nothing else"
		}
		return ""
	case StartBackfill:
		if a.Project <= 0 || a.Action == "" || *a != (Action{Do: a.Do, Hook: a.Hook, Project: a.Project, Action: a.Action, Since: a.Since, DryRun: a.DryRun}) {
			return "backfill takes a hook, a project and an action, and may take since and dry_run"
		}
		return ""
	case Pause, Resume, Ping, Retry, Adopt, Release, StopBackfill:
		if *a != (Action{Do: a.Do, Hook: a.Hook}) {
			return a.Do + " takes a hook, and nothing else"
		}
		return ""
	case Redrive, Discard:
	default:
		return "do is pause, resume, ping, retry, resend, redrive, discard, adopt, release, backfill or stop_backfill"
	}
	if a.Seq != 0 || a.Project != 0 {
		return a.Do + " takes neither seq nor project"
	}
	if a.State != "" && a.State != string(state.Parked) && a.State != string(state.Dead) {
		return "state is parked or dead"
	}
	if a.Do == Redrive && a.State == string(state.Parked) {
		return "what is parked is tried again by itself"
	}
	if a.Event != "" {
		if _, err := state.ParseID(a.Event); err != nil {
			return err.Error()
		}
	}
	return ""
}
