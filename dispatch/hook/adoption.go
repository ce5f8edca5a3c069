package hook

// Handover is an adoption or release of a hook at its place in the stream.
type Handover struct {
	Hook    int64
	Adopted bool
}

// Handovers returns those since the last call, in order, if KeepUnadopted is set.
func (h *Set) Handovers() []Handover {
	handovers := h.handovers
	h.handovers = nil
	return handovers
}

// say inserts or updates a row of hook_setting. Adoption takes effect at its place in the
// stream, together with the same transaction's changes of webhook. A change of the
// secrets is only reported.
func (h *Set) say(row Row) ([]int64, error) {
	hook, before, ok, err := h.resolve(row)
	if !ok || err != nil {
		return nil, err
	}
	return h.said(hook, before), nil
}

// unsay deletes a row of hook_setting.
func (h *Set) unsay(row Row) ([]int64, error) {
	key, err := keyText(row, "hook_id")
	if err != nil {
		return nil, err
	}
	h.note(HookSetting, key, "")
	var hook int64
	r := reader{row: row}
	r.integer("hook_id", &hook, required)
	if r.fault != "" {
		return nil, nil
	}
	before := h.settings[hook]
	delete(h.settings, hook)
	return h.said(hook, before), nil
}

func (h *Set) said(hook int64, before setting) []int64 {
	now := h.settings[hook]
	if now == before {
		return nil
	}
	h.touch(hook)
	h.hand(hook, before, now)
	h.renew(hook)
	return []int64{hook}
}

func (h *Set) hand(hook int64, before, now setting) {
	if h.o.KeepUnadopted && before.adopted != now.adopted {
		h.handovers = append(h.handovers, Handover{hook, now.adopted})
	}
}
