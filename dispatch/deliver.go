package dispatch

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

// isOn reports whether somebody serves the hook: what was taken on for it is still
// wanted, also if it is the application that gets what follows.
func (h *Hook) isOn() bool { return h.Active || h.Adopted }

// state is what the hook's row says.
func (h *Hook) state() State {
	switch {
	case !h.served:
		return StateInactive
	case h.Refused != ReasonNone:
		return StateRefused
	default:
		return StateLive
	}
}

// resolve inserts, updates or deletes a row of hook_setting. Of it the stream
// decides adoption alone: it takes effect at its place among the hook's events, and
// together with what the same transaction did to the row of webhook.
func (h *Hooks) resolve(change RowChange) (int64, error) {
	hook, adopted, err := readSetting(change.Row, change.Deleted)
	if err != nil || adopted == h.adopted[hook] {
		return 0, err
	}
	h.adopt(hook, adopted)
	return h.renew(hook), nil
}

// adopt notes the setting, whether its hook is known or not.
func (h *Hooks) adopt(hook int64, adopted bool) {
	if adopted {
		h.adopted[hook] = true
	} else {
		delete(h.adopted, hook)
	}
}

func readSetting(row Row, deleted bool) (hook int64, adopted bool, err error) {
	r := reader{row: row}
	r.integer("hook_id", &hook, required)
	if !deleted {
		r.boolean("adopted", &adopted, required)
	}
	return hook, adopted, r.err
}
