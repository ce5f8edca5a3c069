package status

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// Actions of the page.
const (
	Pause   = "pause"
	Resume  = "resume"
	Ping    = "ping"
	Redrive = "redrive"
	Discard = "discard"
	Retry   = "retry"  // attempt waiting deliveries now
	Resend  = "resend" // send the request of an attempt, or an event of the log, again
	Adopt   = "adopt"
	Release = "release"

	StartBackfill = "backfill"
	StopBackfill  = "stop_backfill"
)

// Action is a request on the page. Redrive concerns dead deliveries, Discard those in
// State; both select an event's delivery to one hook, or all stored deliveries of the
// hook.
type Action struct {
	Do     string `json:"do"`
	Hook   int64  `json:"hook"`
	Event  string `json:"event,omitempty"`
	State  string `json:"state,omitempty"`  // parked or dead; default dead
	Action string `json:"action,omitempty"` // action of the deliveries, in the hook's spelling
	Reason string `json:"reason,omitempty"` // reason of death
	Task   int64  `json:"task,omitempty"`

	Since time.Time `json:"since,omitzero"` // commit time of the deliveries
	Until time.Time `json:"until,omitzero"`

	Seq      uint64 `json:"seq,omitempty"`      // attempt that Resend repeats
	Position uint64 `json:"position,omitempty"` // in the log, of the event that Resend repeats

	Project int64 `json:"project,omitempty"` // project of a backfill; Since is then the creation of its rows
	DryRun  bool  `json:"dry_run,omitempty"`
}

// Done is the result of an Action.
type Done struct {
	Message  string    `json:"message"`
	Count    int64     `json:"count,omitempty"` // number of deliveries
	Exchange *Exchange `json:"exchange,omitempty"`
}

// Exchange is the result of a ping.
type Exchange struct {
	URL     string   `json:"url"`
	Headers []string `json:"headers"`
	Body    string   `json:"body"`
	Status  int      `json:"status,omitempty"`
	Result  string   `json:"result"`
	Took    float64  `json:"took_seconds"`
	Answer  string   `json:"answer,omitempty"`
	Error   string   `json:"error,omitempty"`

	Redirect string `json:"redirect,omitempty"` // target of a redirect, which is not followed
}

// Problem is an error for the person who asked.
type Problem struct{ Why string }

func (p *Problem) Error() string { return p.Why }

func (h *handler) act(_ http.ResponseWriter, r *http.Request, pass pass) (any, error) {
	switch {
	case h.Token == "":
		return nil, errReadOnly
	case !pass.valid:
		return nil, &refusal{http.StatusUnauthorized, "log in, or send the token: Authorization: Bearer …"}
	case pass.csrf != "" && subtle.ConstantTimeCompare([]byte(pass.csrf), []byte(r.Header.Get("X-CSRF-Token"))) != 1:
		return nil, &refusal{http.StatusForbidden, "the request does not come from the logged-in page: reload it"}
	}
	var a Action
	if err := read(r, &a); err != nil {
		return nil, err
	}
	if why := a.check(); why != "" {
		return nil, &refusal{http.StatusBadRequest, why}
	}
	ctx, cancel := within(r.Context())
	defer cancel()
	done, err := h.Program.Act(ctx, a)
	if problem, ok := errors.AsType[*Problem](err); ok {
		return nil, &refusal{http.StatusUnprocessableEntity, problem.Why}
	}
	if err != nil {
		return nil, failure{a.Do, err}
	}
	if !a.DryRun {
		h.Log.InfoContext(r.Context(), "Done on the status page", "action", a.Do, "hook", a.Hook, "event", a.Event, "from", addressOf(r), "result", done.Message)
	}
	return done, nil
}

// check returns what is wrong with the request, or "". No action concerns all hooks.
func (a *Action) check() string {
	if a.Hook == 0 {
		return "hook must be the id of a hook"
	}
	switch a.Do {
	case Resend:
		if (a.Seq == 0) == (a.Position == 0) || *a != (Action{Do: Resend, Hook: a.Hook, Seq: a.Seq, Position: a.Position}) {
			return "resend takes a hook, and the seq of an attempt or a position in the log, and nothing else"
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
		return "do must be pause, resume, ping, retry, resend, redrive, discard, adopt, release, backfill or stop_backfill"
	}
	if a.Seq != 0 || a.Project != 0 || a.Position != 0 {
		return a.Do + " takes neither seq, project nor position"
	}
	if a.State != "" && a.State != string(state.Parked) && a.State != string(state.Dead) {
		return "state must be parked or dead"
	}
	if a.Do == Redrive && a.State == string(state.Parked) {
		return "parked deliveries are retried automatically"
	}
	if a.Event != "" {
		if _, err := state.ParseID(a.Event); err != nil {
			return err.Error()
		}
	}
	return ""
}
