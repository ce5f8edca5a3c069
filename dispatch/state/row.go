package state

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/mapping"
)

// Key identifies a delivery: an event for a hook.
type Key struct {
	Hook  int64
	Event mapping.ID
}

// State is the state of a stored delivery.
type State string

// States of a stored delivery.
const (
	Parked State = "parked" // waits for its next attempt
	Dead   State = "dead"   // waits for a person
)

// Row is a stored delivery.
type Row struct {
	Key
	Action    mapping.Action // in the hook's spelling
	Project   int64
	Task      int64        // 0: the whole project
	Committed time.Time    // by the database's clock
	Body      mapping.Body // of the request; empty if not requested
	Bytes     int          // size of the body; Apply counts it itself

	Attempts   int       // number of attempts
	Added      time.Time // beginning of the retries, by the clock of the program that parked it
	Stored     time.Time // set by the database, by its clock
	Next       time.Time // time of the next attempt; zero: as soon as it is its turn
	LastResult string    // result of the last attempt, as a metric label
	LastStatus int       // HTTP status; 0: no answer

	State  State     // "" in Apply means Parked
	Reason string    // reason of death, as a metric label
	Died   time.Time // zero unless dead; set by the database
}

// Compare orders events as hooks get them, and as the table does.
func Compare(a, b mapping.ID) int {
	return cmp.Or(cmp.Compare(a.Commit, b.Commit), cmp.Compare(a.Ordinal, b.Ordinal), cmp.Compare(a.Timeline, b.Timeline))
}

// ParseID parses an event's id in its sent and printed form. It refuses the form of the
// zero id, repair-0-0: no event has it, and a Filter does not select by it.
func ParseID(text string) (mapping.ID, error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 {
		parts = make([]string, 3)
	}
	if parts[0] == "repair" { // without a timeline
		parts[0] = "0"
	}
	timeline, err1 := strconv.ParseInt(parts[0], 10, 32)
	commit, err2 := strconv.ParseUint(parts[1], 16, 64)
	ordinal, err3 := strconv.ParseInt(parts[2], 10, 32)
	id := mapping.ID{Timeline: int32(timeline), Ordinal: int(ordinal)}
	err4 := id.Commit.Scan(commit)
	// Each id has a single spelling: no sign, no leading zero, no lower-case letters.
	if errors.Join(err1, err2, err3, err4) == nil && id.String() == text && id != (mapping.ID{}) {
		return id, nil
	}
	return mapping.ID{}, fmt.Errorf("%q is not an event's id: timeline, commit in hexadecimal and ordinal, separated by hyphens", text)
}

// columns are those of a Row, in the order of scan. octet_length gives the size of a body
// without reading it; the column bytes could be wrong.
const columns = `hook_id, timeline, commit_lsn, ordinal, action, project_id, task_id, committed_at, octet_length(body),
	attempts, added_at, parked_at, next_attempt_at, last_result, last_status, state, reason, dead_at`

// scanRow scans the columns, and the body after them if there is one.
func scanRow(rows pgx.CollectableRow) (Row, error) {
	var r Row
	var body []byte
	to := []any{
		&r.Hook, &r.Event.Timeline, &r.Event.Commit, &r.Event.Ordinal, &r.Action, &r.Project, &r.Task, (*moment)(&r.Committed), &r.Bytes,
		&r.Attempts, (*moment)(&r.Added), (*moment)(&r.Stored), (*moment)(&r.Next), &r.LastResult, &r.LastStatus, &r.State, &r.Reason, (*moment)(&r.Died), &body,
	}
	if err := rows.Scan(to[:len(rows.FieldDescriptions())]...); err != nil {
		return Row{}, err
	}
	r.Body, r.Attempts = mapping.BodyOf(body), counted(r.Attempts)
	return r, nil
}

// orNull returns the time, or null if it is zero.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = bounded(t)
	return &t
}

// Limits of a Row's times. PostgreSQL has earlier and later ones, and infinity, which RFC
// 3339 cannot represent.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// bounded returns the time, or the nearest one that a Row can have.
func bounded(t time.Time) time.Time {
	switch {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	default:
		return t
	}
}

// moment scans any timestamptz: zero for null.
type moment time.Time

// ScanTimestamptz is for pgx.
func (m *moment) ScanTimestamptz(v pgtype.Timestamptz) error {
	switch {
	case !v.Valid:
		*m = moment{}
	case v.InfinityModifier == pgtype.Infinity:
		*m = moment(latest)
	case v.InfinityModifier == pgtype.NegativeInfinity:
		*m = moment(earliest)
	default:
		*m = moment(bounded(v.Time))
	}
	return nil
}

// plain returns the text without characters that the database does not accept.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// counted returns the number of attempts within the column's range.
func counted(attempts int) int { return min(max(attempts, 0), math.MaxInt32) }
