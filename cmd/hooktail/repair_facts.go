package main

import (
	"time"

	"github.com/hooktail/hooktail/internal/replay"
)

// repaired is what is printed as JSON. Of a dry run it is what would be done.
type repaired struct {
	Gap        bool             `json:"gap"`                  // false: there is none, and nothing is to be done
	Why        string           `json:"why,omitempty"`        // there is a gap
	Missing    string           `json:"missing,omitempty"`    // in words
	Since      time.Time        `json:"since,omitzero"`       // beginning of the gap; none: unknown
	Recreated  bool             `json:"recreated"`            // publication and slot, instead of kept
	Deliveries map[string]int64 `json:"deliveries,omitempty"` // parked with --resend, by action
	Refused    int64            `json:"refused,omitempty"`    // of these, that could not be stored
	Slot       string           `json:"slot"`
	Confirmed  string           `json:"confirmed,omitempty"` // position of the slot
	DryRun     bool             `json:"dry_run"`
}

func (f *repaired) resent(r *replay.Resent) {
	f.Deliveries, f.Refused = map[string]int64{}, int64(r.Refused)
	for action, n := range r.Deliveries {
		f.Deliveries[string(action)] = int64(n)
	}
}
