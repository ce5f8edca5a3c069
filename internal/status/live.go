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
func (h *handler) live(w http.ResponseWriter, r *http.Request, admitted pass) (any, error) {
	bearer := admitted.valid && admitted.csrf == "" // the admin token itself, which does not expire
	q, err := queryOf(r)
	if err != nil {
		return nil, err
	}
	select {
	case h.watched <- struct{}{}:
		defer func() { <-h.watched }()
	default:
		return nil, &refusal{http.StatusServiceUnavailable, "too many live pages: poll /status"}
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // if it cannot be set, there is none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy must not buffer the events
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		q.Payloads = bearer || h.passOf(r).valid
		report := h.reportOf(r.Context(), q)
		if n := len(report.Recent); n > 0 {
			q.After = report.Recent[n-1].Seq
		}
		var event bytes.Buffer
		event.WriteString("data: ")
		if json.NewEncoder(&event).Encode(report) != nil {
			return nil, nil
		}
		event.WriteString("\n")
		_ = control.SetWriteDeadline(time.Now().Add(5 * liveEvery)) // if it cannot be set, there is none
		if _, err := w.Write(event.Bytes()); err != nil || control.Flush() != nil {
			return nil, nil
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return nil, nil
		}
	}
}
