package cdc

import (
	"fmt"
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
	found := ""
	if !g.Found.IsZero() {
		found = fmt.Sprintf(" (found at %s and not repaired)", moment(g.Found))
	}
	return fmt.Sprintf("gap in the stream of slot %q: %s%s: %s: run `hooktail repair`, which makes the stream complete from now on, "+
		"or `hooktail repair --resend`, which also sends what the tables still show of the gap", g.Slot, g.Why, found, g.Interval())
}

// Interval describes the missing interval.
func (g *Gap) Interval() string {
	to := "until it is repaired"
	if g.To != 0 {
		to = "up to " + at(g.To, g.Until)
	}
	return "changes after " + at(g.From, g.Since) + " and " + to + " are missing"
}

func at(lsn LSN, t time.Time) string {
	if t.IsZero() {
		return lsn.String()
	}
	return fmt.Sprintf("%s (%s)", lsn, moment(t))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }
