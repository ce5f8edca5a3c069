package status

import (
	"encoding/json"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// Report is the body of /status. Names and meanings are stable: fields may be added; a
// value that is null or missing is unknown or does not apply. docs/status.md describes
// all of them.
type Report struct {
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	Started time.Time `json:"started,omitzero"`
	Leads   time.Time `json:"leads_since,omitzero"` // counts and recent attempts begin then

	Running bool   `json:"running"` // false: made by a command from the database alone
	Role    string `json:"role"`    // leader, standby or starting; with a log also reader or sender; "" if it is not running
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"` // why it is not ready

	Overlap *Overlap `json:"adopt_overlap,omitempty"` // null: hooks can be adopted at any time

	Stream   *Stream    `json:"stream"`        // null: a standby has none
	Log      *Log       `json:"log,omitempty"` // missing: there is none
	Progress []Progress `json:"progress"`
	Backfill *Backfill  `json:"backfill,omitempty"` // running or last backfill requested on the page
	Tally    *Tally     `json:"tally"`              // null: a standby has no hooks
	Hooks    []Hook     `json:"hooks"`
	Recent   []Attempt  `json:"recent"`

	Unreadable []UnreadableRow `json:"unreadable_rows,omitempty"` // ignored rows of the hooks' tables

	Admin      bool `json:"admin"`      // a token that allows actions is set
	Authorized bool `json:"authorized"` // this request has it
}

// UnreadableRow is a row that is ignored since it cannot be read.
type UnreadableRow struct {
	Table string `json:"table"` // webhook, webhook_action or hook_setting
	Key   string `json:"key"`
	Fault string `json:"fault"`
}

// Overlap describes the events remembered for hooks that may be adopted.
type Overlap struct {
	Seconds float64 `json:"seconds"` // length of the overlap
	Whole   bool    `json:"whole"`   // false: the program started too recently, or the memory is too small
}

// Stream is the state of reading the slot. Sizes are in bytes of WAL unless stated
// otherwise.
type Stream struct {
	Slot         string   `json:"slot"`
	Connected    bool     `json:"connected"`
	Confirmed    string   `json:"confirmed"` // everything before it is delivered or parked
	ServerEnd    string   `json:"server_end,omitempty"`
	LagBytes     *int64   `json:"lag_bytes"`
	LagSeconds   *float64 `json:"lag_seconds"`
	Heartbeat    *float64 `json:"heartbeat_seconds"`     // last round trip
	HeartbeatAge *float64 `json:"heartbeat_age_seconds"` // time since it came back
	Retained     *int64   `json:"retained_bytes"`
	Safe         *int64   `json:"safe_bytes"` // -1: no limit
	Lost         bool     `json:"lost"`
	Active       *bool    `json:"active,omitempty"` // from the database alone: the slot is in use

	Transactions int    `json:"open_transactions"` // read, but not yet completely delivered or parked
	QueueBytes   int    `json:"queue_bytes"`       // memory: rows not yet rendered
	LaneBytes    int64  `json:"lane_bytes"`        // memory: deliveries in the lanes
	Reconnects   int    `json:"reconnects"`
	SystemID     string `json:"system_id,omitempty"`
	Timeline     int32  `json:"timeline,omitempty"`

	Rate float64 `json:"delivered_per_second"` // over the last 10 s, all hooks
}

// Operations that Progress describes.
const (
	CatchingUp  = "catching_up" // the stream, in bytes of WAL
	Transaction = "transaction" // reading a large transaction, in bytes of WAL
	Draining    = "draining"    // sending a hook's parked deliveries
	Stopping    = "stopping"    // finishing what is in flight, in deliveries
)

// Progress is a long operation.
type Progress struct {
	What    string   `json:"what"`
	Hook    int64    `json:"hook,omitempty"`
	Left    int64    `json:"left"`
	Unit    string   `json:"unit"`         // bytes or deliveries
	Rate    float64  `json:"rate"`         // per second
	Seconds *float64 `json:"seconds_left"` // null: no end at this rate
	Done    int64    `json:"done,omitempty"`
	About   string   `json:"about"` // description
}

// Backfill is a backfill requested on the page.
type Backfill struct {
	Hook    int64     `json:"hook"`
	Project int64     `json:"project"`
	Action  string    `json:"action"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Total   int64     `json:"total"`           // rows counted at the beginning
	Done    int64     `json:"done"`            // finished rows
	Events  int       `json:"events"`          // delivered; known at the end
	Last    int64     `json:"last"`            // id of the last finished row
	Error   string    `json:"error,omitempty"` // why it failed; only with the token
}

// Hook is a row of webhook and its state.
type Hook struct {
	ID           int64    `json:"id"`
	Organization int64    `json:"organization"`
	Project      int64    `json:"project"` // 0: all projects of the organization
	URL          string   `json:"url"`     // without credentials and query; without the token the path is ***
	Headers      []string `json:"headers"` // names of all headers of a request
	AllActions   bool     `json:"all_actions"`
	Actions      []string `json:"actions"`
	Payload      bool     `json:"payload"`
	Active       bool     `json:"active"`
	Adopted      bool     `json:"adopted"`

	// Settings in addition to the row.
	Added   []string `json:"events_added,omitempty"`   // additional actions
	Removed []string `json:"events_removed,omitempty"` // excluded actions
	Filter  string   `json:"filter,omitempty"`         // CEL expression about the body
	AtMost  string   `json:"rate,omitempty"`           // limit of requests, for example "10/s"
	Format  string   `json:"format,omitempty"`         // form of requests; "": Label Studio's own

	ChoiceFaults []string `json:"choice_faults,omitempty"` // unusable settings: the hook is served without them

	State string `json:"state"` // inactive, live, failing, waiting, stopped, refused, paused, suspended
	About string `json:"about"` // description of the state

	Queued   int       `json:"queued"`
	InFlight int       `json:"in_flight"`
	Retrying int       `json:"retrying"`
	Draining bool      `json:"draining"`
	Parked   int64     `json:"parked"`
	Dead     int64     `json:"dead"`
	Bytes    int64     `json:"stored_bytes"`
	Oldest   time.Time `json:"oldest_parked,omitzero"` // time of its commit
	Next     time.Time `json:"next_attempt,omitzero"`

	Counts Counts  `json:"counts"`
	Hour   *Hour   `json:"last_hour"` // null: there was no attempt
	Rate   float64 `json:"delivered_per_second"`

	P50     *float64  `json:"p50_seconds"` // from commit to delivery, over the last 5 to 10 minutes
	P99     *float64  `json:"p99_seconds"`
	Samples uint64    `json:"samples"`
	Last    time.Time `json:"last_delivery,omitzero"`
	Error   *Failure  `json:"last_error"`
}

// Hour counts the attempts of the last hour by result. A death without an attempt counts
// as failed.
type Hour struct {
	Delivered uint64  `json:"delivered"`
	Failed    uint64  `json:"failed"`
	Pulse     []Pulse `json:"pulse,omitempty"` // on request: in steps of two minutes, oldest first
}

// Pulse is the number of delivered and of failed attempts.
type Pulse [2]uint32

// Series is the last hour in columns of equal length, one value per ten seconds, oldest
// first. Null: unknown.
type Series struct {
	Times     []int64    `json:"times"` // in seconds since 1970
	Lag       []*float64 `json:"lag_seconds"`
	Retained  []*int64   `json:"retained_bytes"`
	Delivered []*float64 `json:"delivered_per_second"`
	Failed    []*float64 `json:"failed_per_second"` // attempts, and deaths without an attempt
}

// Counts counts deliveries by outcome since this instance became the leader.
type Counts struct {
	Delivered uint64 `json:"delivered"`
	Retried   uint64 `json:"retried"`
	Parked    uint64 `json:"parked"`
	Dead      uint64 `json:"dead"`
	Filtered  uint64 `json:"filtered,omitempty"` // left out by the hook's filter
}

// Failure is a hook's last failed attempt.
type Failure struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Action string    `json:"action"`
	Result string    `json:"result,omitempty"` // as in the metrics; "": there was no attempt
	Status int       `json:"status,omitempty"`
	Error  string    `json:"error,omitempty"`
	Answer string    `json:"answer,omitempty"` // beginning of the answer's body, if still remembered; only with the token
	Reason string    `json:"reason,omitempty"` // reason of death

	Redirect string `json:"redirect,omitempty"` // target of a redirect, which is not followed
}

// Attempt is one of the last attempts, or the death of a delivery without one.
type Attempt struct {
	Seq        uint64    `json:"seq"`
	At         time.Time `json:"at"`
	Hook       int64     `json:"hook"`
	URL        string    `json:"url,omitempty"`
	Event      string    `json:"event"`
	Action     string    `json:"action"`
	Project    int64     `json:"project,omitempty"`
	Task       int64     `json:"task,omitempty"`
	Annotation int64     `json:"annotation,omitempty"` // the first of several
	Committed  time.Time `json:"committed"`
	Attempt    int       `json:"attempt"`
	Outcome    string    `json:"outcome"` // delivered, retried or dead
	Result     string    `json:"result,omitempty"`
	Status     int       `json:"status,omitempty"`
	Took       float64   `json:"took_seconds"`
	Latency    *float64  `json:"latency_seconds,omitempty"` // from commit to delivery
	Next       time.Time `json:"next_attempt,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	Error      string    `json:"error,omitempty"`
	Bytes      int       `json:"bytes"` // of the request's body

	Redirect string `json:"redirect,omitempty"` // target of a redirect, which is not followed

	Answer string `json:"answer,omitempty"` // only with the token
	Body   bool   `json:"body,omitempty"`   // the request's body can be requested
}

// Stored is a parked or dead delivery, as printed by `hooktail deliveries`.
type Stored struct {
	Hook       int64           `json:"hook"`
	Event      string          `json:"event"`
	LSN        string          `json:"lsn"`
	Action     string          `json:"action"`
	Project    int64           `json:"project,omitempty"`
	Task       int64           `json:"task,omitempty"`
	Committed  time.Time       `json:"committed"`
	Parked     time.Time       `json:"parked"`
	Bytes      int             `json:"bytes"`
	State      string          `json:"state"`
	Attempts   int             `json:"attempts"`
	LastResult string          `json:"last_result,omitempty"`
	LastStatus int             `json:"last_status,omitempty"`
	Next       time.Time       `json:"next_attempt,omitzero"`
	Died       time.Time       `json:"dead_since,omitzero"`
	Reason     string          `json:"reason,omitempty"`
	Payload    json.RawMessage `json:"payload,omitempty"`
}

// StoredOf returns the delivery without its body.
func StoredOf(r *state.Row) Stored {
	return Stored{
		Hook: r.Hook, Event: r.Event.String(), LSN: r.Event.Commit.String(), Action: string(r.Action), Project: r.Project, Task: r.Task,
		Committed: r.Committed.UTC(), Parked: r.Stored.UTC(), Bytes: r.Bytes, State: string(r.State), Attempts: r.Attempts,
		LastResult: r.LastResult, LastStatus: r.LastStatus, Next: r.Next.UTC(), Died: r.Died.UTC(), Reason: r.Reason,
	}
}
