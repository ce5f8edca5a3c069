package dispatch

import (
	"github.com/hooktail/hooktail/mapping"
)

// filtered is the outcome of a delivery that the hook's filter excludes. Its series only
// exists after the first one.
const filtered = "filtered"

// Filtered counts a delivery that the hook's filter excludes.
func (m *Metrics) Filtered(hook int64, action mapping.Action) {
	h := m.of(hook)
	if h == nil {
		return
	}
	action = m.actions.of(action)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.detached {
		return
	}
	counter := h.filtered[action]
	if counter == nil {
		counter = m.deliveries.WithLabelValues(h.label, string(action), filtered)
		h.filtered[action] = counter
	}
	counter.Inc()
}

// FilterFailed counts an event for which the hook's filter failed.
func (m *Metrics) FilterFailed(hook int64) {
	h := m.of(hook)
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.detached {
		m.filterFailures.WithLabelValues(h.label).Inc()
	}
}
