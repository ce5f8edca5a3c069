package state

import (
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

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
