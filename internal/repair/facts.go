package repair

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
)

// Facts is what Run found and did; of a dry run, what would be done.
type Facts struct {
	Gap           bool      `json:"gap"`               // false: there is none, and nothing is to be done
	Why           string    `json:"why,omitempty"`     // there is a gap
	Missing       string    `json:"missing,omitempty"` // in words
	Since         time.Time `json:"since,omitzero"`    // beginning of the gap; none: unknown
	Recreated     bool      `json:"recreated"`         // publication and slot, instead of kept
	replay.Resent           // parked with Resend
	Slot          string    `json:"slot"`
	Confirmed     string    `json:"confirmed,omitempty"` // position of the slot
	DryRun        bool      `json:"dry_run"`
}

// resent records and reports the parked deliveries.
func (r *repair) resent(resent *replay.Resent, what string) {
	r.facts.Resent = *resent
	if len(resent.Deliveries) == 0 {
		r.Say("no hook wants an event for a row created or updated in the gap")
	}
	for _, action := range slices.Sorted(maps.Keys(resent.Deliveries)) {
		r.say("%s %d × %s", what, resent.Deliveries[action], action)
	}
	if resent.Refused > 0 {
		r.say("%s of these could not be stored and are dead, without their bodies: hooktail deliveries list --reason %s",
			display.Count(resent.Refused, "delivery"), state.ReasonUnstorable)
	}
}

// unknown reports what the tables do not show.
func (r *repair) unknown() {
	from := "the beginning of the gap"
	if !r.Since.IsZero() {
		from = r.Since.UTC().Format(time.RFC3339)
	}
	if !r.Resend {
		r.say("no event of the gap was sent: `hooktail backfill --since` sends creations since %s, hook by hook", from)
		return
	}
	r.say("unknown, and not sent: deletions between %s and now (projects, tasks, annotations), rows that existed only\n"+
		"in between, intermediate states, and updates that did not change updated_at", from)
}

func (r *repair) say(format string, args ...any) { r.Say(fmt.Sprintf(format, args...)) }
