package status

import (
	"encoding/json"
	"time"
)

// Report is the body of /status. Names and meanings are stable: fields may be added,
// and what is null or left out is not known or does not apply. docs/status.md has
// them all.
type Report struct {
	Version string    `json:"version"`
	Time    time.Time `json:"time"`
	Started time.Time `json:"started,omitzero"`
	Leads   time.Time `json:"leads_since,omitzero"` // counts and recent attempts are of the time since then

	Running bool   `json:"running"` // false: made by the command, of the database alone
	Role    string `json:"role"`    // leader, standby, starting; "" unless it runs
	Ready   bool   `json:"ready"`
	Reason  string `json:"reason,omitempty"` // why it is not ready

	Overlap *Overlap `json:"adopt_overlap,omitempty"` // null: hooks may be adopted at any time

	Stream   *Stream    `json:"stream"` // null: a standby has none
	Progress []Progress `json:"progress"`
	Backfill *Backfill  `json:"backfill,omitempty"` // asked for on the page: that which runs, or ended last
	Tally    *Tally     `json:"tally"`              // null: a standby has no hooks
	Hooks    []Hook     `json:"hooks"`
	Recent   []Attempt  `json:"recent"`

	Unreadable []UnreadableRow `json:"unreadable_rows,omitempty"` // of the hooks' tables; they are left out

	Admin      bool `json:"admin"`      // whether there is a token that lets people act
	Authorized bool `json:"authorized"` // whether this request had it
}

// UnreadableRow is a row that belongs to no hook, since it cannot be read.
type UnreadableRow struct {
	Table string `json:"table"` // webhook, webhook_action or hook_setting
	Key   string `json:"key"`
	Fault string `json:"fault"`
}

// Overlap is what the program remembers for hooks that may be adopted.
type Overlap struct {
	Seconds float64 `json:"seconds"` // of events
	Whole   bool    `json:"whole"`   // false: the program has not run for so long, or has no room for so much
}

// Stream is where the reading of the slot is. Sizes are in bytes of WAL unless they
// say otherwise.
type Stream struct {
	Slot         string   `json:"slot"`
	Connected    bool     `json:"connected"`
	Confirmed    string   `json:"confirmed"` // everything before it is delivered or parked
	ServerEnd    string   `json:"server_end,omitempty"`
	LagBytes     *int64   `json:"lag_bytes"`
	LagSeconds   *float64 `json:"lag_seconds"`
	Heartbeat    *float64 `json:"heartbeat_seconds"`     // round trip of the last one
	HeartbeatAge *float64 `json:"heartbeat_age_seconds"` // how long ago it came back
	Retained     *int64   `json:"retained_bytes"`
	Safe         *int64   `json:"safe_bytes"` // -1: no limit
	Lost         bool     `json:"lost"`
	Active       *bool    `json:"active,omitempty"` // of the database alone: whether somebody reads the slot

	Transactions int    `json:"open_transactions"` // read, and not yet delivered or parked whole
	QueueBytes   int    `json:"queue_bytes"`       // memory: rows that are not rendered yet
	LaneBytes    int64  `json:"lane_bytes"`        // memory: what the lanes hold
	Reconnects   int    `json:"reconnects"`
	SystemID     string `json:"system_id,omitempty"`
	Timeline     int32  `json:"timeline,omitempty"`

	Rate float64 `json:"delivered_per_second"` // over the last 10 s, all hooks together
}

// What Progress speaks of.
const (
	CatchingUp  = "catching_up" // the stream, in bytes of WAL
	Transaction = "transaction" // a large one is being read, in bytes of WAL
	Draining    = "draining"    // a hook gets what is parked for it
	Stopping    = "stopping"    // what is in flight is finished, in deliveries
)

// Progress is something that takes long.
type Progress struct {
	What    string   `json:"what"`
	Hook    int64    `json:"hook,omitempty"`
	Left    int64    `json:"left"`
	Unit    string   `json:"unit"`         // bytes or deliveries
	Rate    float64  `json:"rate"`         // per second
	Seconds *float64 `json:"seconds_left"` // null: at this rate it does not end
	Done    int64    `json:"done,omitempty"`
	About   string   `json:"about"` // in words
}

// Backfill is a backfill that was asked for on the page.
type Backfill struct {
	Hook    int64     `json:"hook"`
	Project int64     `json:"project"`
	Action  string    `json:"action"`
	Began   time.Time `json:"began"`
	Ended   time.Time `json:"ended,omitzero"`
	Total   int64     `json:"total"`           // rows, as counted when it began
	Done    int64     `json:"done"`            // of them
	Events  int       `json:"events"`          // delivered, known when it has ended
	Last    int64     `json:"last"`            // id of the last row that is done
	Error   string    `json:"error,omitempty"` // why it did not end well; with the token alone
}

// Hook is a row of webhook and how it stands with it.
type Hook struct {
	ID           int64    `json:"id"`
	Organization int64    `json:"organization"`
	Project      int64    `json:"project"` // 0: all projects of the organization
	URL          string   `json:"url"`     // without credentials and query; without the token *** for the path
	Headers      []string `json:"headers"` // names of all that a request has
	AllActions   bool     `json:"all_actions"`
	Actions      []string `json:"actions"`
	Payload      bool     `json:"payload"`
	Active       bool     `json:"active"`
	Adopted      bool     `json:"adopted"`

	// What people chose for it beyond its row.
	Added   []string `json:"events_added,omitempty"`   // actions that it gets as well
	Removed []string `json:"events_removed,omitempty"` // actions that it does not get
	Filter  string   `json:"filter,omitempty"`         // CEL over the body
	AtMost  string   `json:"rate,omitempty"`           // at most so many requests, as "10/s"
	Format  string   `json:"format,omitempty"`         // of the requests; "": Label Studio's own

	ChoiceFaults []string `json:"choice_faults,omitempty"` // of them that cannot be used: the hook is served without

	State string `json:"state"` // inactive, live, failing, waiting, stopped, refused, paused, suspended
	About string `json:"about"` // the state in words

	Queued   int       `json:"queued"`
	InFlight int       `json:"in_flight"`
	Retrying int       `json:"retrying"`
	Draining bool      `json:"draining"`
	Parked   int64     `json:"parked"`
	Dead     int64     `json:"dead"`
	Bytes    int64     `json:"stored_bytes"`
	Oldest   time.Time `json:"oldest_parked,omitzero"` // its commit
	Next     time.Time `json:"next_attempt,omitzero"`

	Counts Counts  `json:"counts"`
	Hour   *Hour   `json:"last_hour"` // null: there was no attempt
	Rate   float64 `json:"delivered_per_second"`

	P50     *float64  `json:"p50_seconds"` // from commit to delivery, of the last 5 to 10 minutes
	P99     *float64  `json:"p99_seconds"`
	Samples uint64    `json:"samples"`
	Last    time.Time `json:"last_delivery,omitzero"`
	Error   *Failure  `json:"last_error"`
}

// Hour is the attempts of the last hour by how they ended. A death without an attempt
// counts as failed.
type Hour struct {
	Delivered uint64  `json:"delivered"`
	Failed    uint64  `json:"failed"`
	Pulse     []Pulse `json:"pulse,omitempty"` // where it is asked for: in steps of two minutes, the oldest first
}

// Pulse is what was delivered and what failed.
type Pulse [2]uint32

// Series is the last hour in columns of the same length, a place for every ten seconds,
// the oldest first. Null is not known.
type Series struct {
	Times     []int64    `json:"times"` // in seconds since 1970
	Lag       []*float64 `json:"lag_seconds"`
	Retained  []*int64   `json:"retained_bytes"`
	Delivered []*float64 `json:"delivered_per_second"`
	Failed    []*float64 `json:"failed_per_second"` // attempts, and deaths without one
}

// Counts is deliveries by what became of them since this instance leads.
type Counts struct {
	Delivered uint64 `json:"delivered"`
	Retried   uint64 `json:"retried"`
	Parked    uint64 `json:"parked"`
	Dead      uint64 `json:"dead"`
}

// Failure is a hook's last failed attempt.
type Failure struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	Action string    `json:"action"`
	Result string    `json:"result,omitempty"` // as in the metrics; "": no attempt was made
	Status int       `json:"status,omitempty"`
	Error  string    `json:"error,omitempty"`
	Answer string    `json:"answer,omitempty"` // how the answer's body begins, if it is still remembered; with the token alone
	Reason string    `json:"reason,omitempty"` // of death

	Redirect string `json:"redirect,omitempty"` // where the answer would lead; no redirect is followed
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
	Annotation int64     `json:"annotation,omitempty"` // of several the first
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

	Redirect string `json:"redirect,omitempty"` // where the answer would lead; no redirect is followed

	Answer string `json:"answer,omitempty"` // with the token alone
	Body   bool   `json:"body,omitempty"`   // whether the request's body can be asked for
}

// Stored is a delivery that is parked or dead, as `hooktail deliveries` prints it.
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
