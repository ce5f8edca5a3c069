package cdc

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pglogrepl"
)

// timelines determines the timeline of a WAL position. A promoted server is on a new
// timeline; transactions committed before the promotion remain on the old one, so an
// event's id does not change with a failover.
type timelines struct {
	current int32
	past    []timeline // oldest first
}

// timeline is a timeline that ended where the next one began.
type timeline struct {
	id  int32
	end LSN
}

// at returns the timeline of the record that begins at lsn.
func (t *timelines) at(lsn LSN) int32 {
	for _, past := range t.past {
		if lsn < past.end {
			return past.id
		}
	}
	return t.current
}

// left returns the position where this history departs from the other: everything earlier
// is in both. ok is false if it does not depart, or if that is unknown.
//
// The other need not be its past: two standbys of one primary, promoted one after the
// other, share what both had received from the primary.
func (t *timelines) left(other *timelines) (end LSN, ok bool) {
	if other.current == t.current {
		return 0, false
	}
	for _, past := range slices.Backward(t.past) {
		if was, known := other.end(past.id); known {
			return min(past.end, was), true
		}
		if other.past == nil && past.id < other.current {
			return past.end, true
		}
	}
	return 0, false
}

// end returns where that timeline ended, the greatest LSN for the current one; ok is false
// if it is unknown.
func (t *timelines) end(id int32) (end LSN, ok bool) {
	if id == t.current {
		return math.MaxUint64, true
	}
	for _, past := range t.past {
		if past.id == id {
			return past.end, true
		}
	}
	return 0, false
}

// parseHistory reads a timeline history file: lines of timeline, the position
// where it was left, and a reason; comments begin with '#'.
// https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
func parseHistory(file []byte) ([]timeline, error) {
	var past []timeline
	for line := range bytes.Lines(file) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		var one timeline
		var end string
		_, err := fmt.Sscan(string(line), &one.id, &end)
		if err == nil {
			one.end, err = pglogrepl.ParseLSN(end)
		}
		if err != nil {
			return nil, fmt.Errorf("parse timeline history %q: %w", line, err)
		}
		past = append(past, one)
	}
	return past, nil
}
