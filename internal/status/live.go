package status

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// liveEvery is the pause between two reports to a page, and maxLive the number of pages
// that get them; other pages poll.
const (
	liveEvery = 2 * time.Second
	maxLive   = 64
)

// live sends a report every two seconds until the page is closed, as server-sent events.
// Each is a Report with the attempts since the previous one. The right to see payloads is
// checked each time, since sessions end.
func (h *handler) live(w http.ResponseWriter, r *http.Request) {
	admitted, ok := h.admit(w, r)
	if !ok {
		return
	}
	bearer := admitted.valid && admitted.csrf == "" // the admin token itself, which does not expire
	q, ok := queryOf(w, r)
	if !ok {
		return
	}
	select {
	case h.watched <- struct{}{}:
		defer func() { <-h.watched }()
	default:
		refuse(w, http.StatusServiceUnavailable, "too many live pages: poll /status")
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // if it cannot be set, there is none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not buffer the events
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		q.Payloads = bearer || h.passOf(r, time.Now()).valid
		report := h.Program.Report(r.Context(), q)
		report.Admin, report.Authorized = h.Token != "", q.Payloads
		if n := len(report.Recent); n > 0 {
			q.After = report.Recent[n-1].Seq
		}
		var event bytes.Buffer
		event.WriteString("data: ")
		if json.NewEncoder(&event).Encode(report) != nil {
			return
		}
		event.WriteString("\n")
		_ = control.SetWriteDeadline(time.Now().Add(5 * liveEvery)) // if it cannot be set, there is none
		if _, err := w.Write(event.Bytes()); err != nil || control.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
