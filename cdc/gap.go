package cdc

import (
	"fmt"
	"strings"
	"time"
)

// Gap is the error that changes between two positions were not read and never will be:
// the slot was lost, dropped, recreated or moved, it belongs to another server, or a
// table was temporarily missing from the publication.
type Gap struct {
	Slot string
	Why  string

	From  LSN       // last confirmed position: nothing before it is missing
	Since time.Time // the same by the database's clock; zero: unknown
	To    LSN       // where the stream would continue; 0: it cannot
	Until time.Time // the same by the database's clock; zero: unknown, or not yet

	Found time.Time // when an earlier run found it; zero: found now
}

// Error describes what happened, what is missing, and how to repair it.
func (g *Gap) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "gap in the stream of slot %q: %s", g.Slot, g.Why)
	if !g.Found.IsZero() {
		fmt.Fprintf(&s, " (found at %s and not repaired)", moment(g.Found))
	}
	fmt.Fprintf(&s, ": %s: run `hooktail repair`, which makes the stream complete from now on, or `hooktail repair --resend`, "+
		"which also sends what the tables still show of the gap", g.Interval())
	return s.String()
}

// Interval describes the missing interval.
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
