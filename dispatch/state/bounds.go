package state

import (
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// The times that a Row can have. PostgreSQL has earlier and later ones, and infinity,
// none of which can be written as RFC 3339.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// bounded is the time, or the nearest one that a Row can have.
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

// moment is a timestamptz as anybody may have written it.
type moment struct{ pgtype.Timestamptz }

// time is zero for null.
func (m moment) time() time.Time {
	switch {
	case !m.Valid:
		return time.Time{}
	case m.InfinityModifier == pgtype.Infinity:
		return latest
	case m.InfinityModifier == pgtype.NegativeInfinity:
		return earliest
	default:
		return bounded(m.Time)
	}
}

// plain is the text without what a text of the database cannot have.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// counted is the number of attempts as the column has it.
func counted(attempts int) int { return min(max(attempts, 0), math.MaxInt32) }
