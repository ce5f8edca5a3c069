package state

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Key names a delivery: an event on its way to a hook.
type Key struct {
	Hook  int64
	Event mapping.ID
}

// State is what a stored delivery waits for.
type State string

// The states.
const (
	Parked State = "parked" // its next attempt
	Dead   State = "dead"   // a person
)

// Row is a stored delivery.
type Row struct {
	Key
	Action    mapping.Action // as the hook spells it
	Project   int64
	Task      int64        // 0: the whole project's
	Committed time.Time    // by the clock of the database
	Body      mapping.Body // of the request; empty where it was not asked for
	Bytes     int          // of the body; Apply counts them itself

	Attempts   int       // made
	Added      time.Time // since when it is retried, by the clock of who parked it
	Stored     time.Time // by the clock of the database; set by it
	Next       time.Time // of the next attempt; zero: as soon as it is its turn
	LastResult string    // of the last attempt, as a metric label
	LastStatus int       // HTTP; 0: there was no answer

	State  State     // "" when it is parked by Apply means Parked
	Reason string    // of death, as a metric label
	Died   time.Time // zero unless dead; set by the database
}

// Compare orders the events as every hook gets them, and as the table does.
func Compare(a, b mapping.ID) int {
	return cmp.Or(cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Ordinal, b.Ordinal), cmp.Compare(a.Timeline, b.Timeline))
}

// ParseID reads an event's id in the form in which it is sent and printed.
func ParseID(text string) (mapping.ID, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		parts = make([]string, 3)
	}
	if parts[0] == "repair" { // which has no timeline
		parts[0] = "0"
	}
	timeline, err1 := strconv.ParseInt(parts[0], 10, 32)
	commit, err2 := strconv.ParseUint(parts[1], 16, 64)
	ordinal, err3 := strconv.ParseInt(parts[2], 10, 32)
	id := mapping.ID{Timeline: int32(timeline), Ordinal: int(ordinal)}
	err4 := id.Commit.Scan(commit)
	// No other text means the same id: no sign, no leading zero, no small letter.
	if errors.Join(err1, err2, err3, err4) == nil && id.String() == text {
		return id, nil
	}
	return mapping.ID{}, fmt.Errorf("%q is no event's id: timeline, commit in hexadecimal, ordinal, with hyphens between", text)
}

// columns are those of a Row, in the order in which scan takes them. The size of a body
// is measured, which does not read it: the column bytes says what anybody has written.
const columns = `hook_id, timeline, commit_lsn, ordinal, action, project_id, task_id, committed_at, octet_length(body),
	attempts, added_at, parked_at, next_attempt_at, last_result, last_status, state, reason, dead_at`

// scanRow reads one of the columns, and the body after them if there is one.
func scanRow(rows pgx.CollectableRow) (Row, error) {
	var (
		r                                    Row
		committed, added, stored, next, died moment
		body                                 []byte
	)
	to := []any{
		&r.Hook, &r.Event.Timeline, &r.Event.Commit, &r.Event.Ordinal, &r.Action, &r.Project, &r.Task, &committed, &r.Bytes,
		&r.Attempts, &added, &stored, &next, &r.LastResult, &r.LastStatus, &r.State, &r.Reason, &died, &body,
	}
	if err := rows.Scan(to[:len(rows.FieldDescriptions())]...); err != nil {
		return Row{}, err
	}
	r.Committed, r.Added, r.Stored = committed.time(), added.time(), stored.time()
	r.Next, r.Died, r.Body = next.time(), died.time(), mapping.BodyOf(body)
	r.Attempts = counted(r.Attempts)
	return r, nil
}

// orNull is the time, or null for none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = bounded(t)
	return &t
}
