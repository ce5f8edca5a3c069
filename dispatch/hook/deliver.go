package hook

// Deliver says which hooks are served. A hook is active if the application sends to
// it as well, and adopted if hooktail has taken it over, so that it is not.
type Deliver string

// The choices.
const (
	DeliverBoth    Deliver = "both"    // active or adopted; the zero value means it too
	DeliverActive  Deliver = "active"  // active, adopted or not
	DeliverAdopted Deliver = "adopted" // adopted, active or not
)

// serves reports whether events that are committed from now on go to the hook.
func (d Deliver) serves(h *Hook) bool {
	switch d {
	case DeliverActive:
		return h.Active
	case DeliverAdopted:
		return h.Adopted
	default:
		return h.Active || h.Adopted
	}
}

// Served reports whether the hook gets the events that are committed from now on.
func (h *Hook) Served() bool { return h.served }

// IsOn reports whether somebody serves the hook: what was taken on for it is still
// wanted, also if it is the application that gets what follows.
func (h *Hook) IsOn() bool { return h.Active || h.Adopted }

// isKept reports whether the events of a hook that is not served are kept for whoever
// adopts it.
func (h *Hook) isKept() bool { return h.Active && !h.Adopted && !h.IsRefused() }
