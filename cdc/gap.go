package cdc

import (
	"fmt"
	"strings"
	"time"
)

// Gap is the error that changes between two positions were not seen and will
// not come: the slot was lost, dropped, re-created or moved, it is the slot of
// another server, or the publication was without a table for a while.
type Gap struct {
	Slot string
	Why  string

	From  LSN       // confirmed last: nothing before it is missing
	Since time.Time // the same by the clock of the database; zero: not known
	To    LSN       // where the stream would go on; 0 when it cannot
	Until time.Time // the same; zero: not known, or not yet

	Found time.Time // when it was found, if that was in an earlier run; zero: now
}

// Error says what happened, what is missing, and how to mend it.
func (g *Gap) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "gap in the stream of slot %q: %s", g.Slot, g.Why)
	if !g.Found.IsZero() {
		fmt.Fprintf(&s, " (found at %s and not mended)", moment(g.Found))
	}
	fmt.Fprintf(&s, ": %s: run `hooktail repair`, which makes the stream whole from now on, or `hooktail repair --resend`, "+
		"which also sends what the tables still show of the gap", g.Interval())
	return s.String()
}

// Interval is what is missing, in words.
func (g *Gap) Interval() string {
	s := "changes after " + at(g.From, g.Since)
	if g.To != 0 {
		return s + " and up to " + at(g.To, g.Until) + " are missing"
	}
	return s + " and until it is repaired are missing"
}

func at(lsn LSN, t time.Time) string {
	if t.IsZero() {
		return lsn.String()
	}
	return fmt.Sprintf("%s (%s)", lsn, moment(t))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
