package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/hooktail/hooktail/internal/display"
)

// LogResult is what a replay of the log has done.
type LogResult struct {
	Hook     int64      `json:"hook"`
	Events   int        `json:"events"`     // delivered; with --dry-run, to be delivered
	Passed   int        `json:"passed"`     // events that the hook does not want any more
	Filtered int        `json:"filtered"`   // events that the hook's filter leaves out
	Missed   uint64     `json:"missed"`     // messages of this and other hooks that were deleted before they were read
	Last     uint64     `json:"last"`       // position in the log of the last message
	Begins   *time.Time `json:"log_begins"` // when the log's first message was written; null: there is none
	DryRun   bool       `json:"dry_run"`

	since time.Time
	every time.Duration
}

// Result is what was done so far.
func (r *FromLog) Result() LogResult {
	l := LogResult{Hook: r.id, Events: r.Events, Passed: r.Passed, Filtered: r.Filtered, Missed: r.history.Missed, Last: r.Last, DryRun: r.o.DryRun, since: r.o.Since, every: r.o.Every}
	if begins := r.history.Begins.UTC(); !begins.IsZero() {
		l.Begins = &begins
	}
	return l
}

// String is the result for a person.
func (l LogResult) String() string {
	var b strings.Builder
	if l.DryRun {
		fmt.Fprintf(&b, "hook %d would get %s, in at least %s", l.Hook, display.Count(l.Events, "event"), display.Span(time.Duration(l.Events)*l.every))
	} else {
		fmt.Fprintf(&b, "hook %d: %s delivered", l.Hook, display.Count(l.Events, "event"))
	}
	if l.Passed > 0 {
		fmt.Fprintf(&b, "; %s skipped, which the hook does not want any more", display.Count(l.Passed, "event"))
	}
	if l.Filtered > 0 {
		fmt.Fprintf(&b, "; %s left out by its filter", display.Count(l.Filtered, "event"))
	}
	if l.Missed > 0 {
		fmt.Fprintf(&b, "; the log has deleted %s meanwhile, of this and other hooks, that had not been read", display.Count(int(l.Missed), "message"))
	}
	switch {
	case l.Begins == nil:
		b.WriteString("; the log has nothing of this hook yet")
	case l.Begins.After(l.since):
		fmt.Fprintf(&b, "; the log begins at %s", l.Begins.Format(time.RFC3339))
	}
	return b.String()
}

// Rest is the flags that select what is left. They give times, since a duration would
// move.
func (r *FromLog) Rest() string {
	flags := "--since " + r.o.Since.UTC().Format(time.RFC3339Nano)
	if !r.o.Until.IsZero() {
		flags += " --until " + r.o.Until.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprintf("%s --after %d", flags, r.Last)
}
