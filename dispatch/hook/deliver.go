package hook

// Deliver selects the hooks to serve. A hook is active if the application also sends to
// it, and adopted if hooktail has taken it over, so that the application does not.
type Deliver string

// Values of Deliver.
const (
	DeliverBoth    Deliver = "both"    // active or adopted; also the meaning of the zero value
	DeliverActive  Deliver = "active"  // active, adopted or not
	DeliverAdopted Deliver = "adopted" // adopted, active or not
)

// serves reports whether the hook gets events committed from now on.
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

// IsOn reports whether the hook is served by hooktail or the application. If so, accepted
// deliveries are still sent, even if the application serves it now.
func (h *Hook) IsOn() bool { return h.Active || h.Adopted }

// isKept reports whether events of an unserved hook are kept for a later adoption.
func (h *Hook) isKept() bool { return h.Active && !h.Adopted && !h.IsRefused() }
