package status

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// liveEvery is how often a page is told how things stand, and maxLive how many pages are
// told at once: the others ask.
const (
	liveEvery = 2 * time.Second
	maxLive   = 64
)

// live sends a report every two seconds until the page goes: server-sent events, each
// a Report whose attempts are those since the one before. Whether payloads may be seen
// is looked up for each of them, since sessions end.
func (h *handler) live(w http.ResponseWriter, r *http.Request) {
	admitted, ok := h.admit(w, r)
	if !ok {
		return
	}
	bearer := admitted.valid && admitted.csrf == "" // the token itself, which does not end
	q, ok := queryOf(w, r)
	if !ok {
		return
	}
	select {
	case h.watched <- struct{}{}:
		defer func() { <-h.watched }()
	default:
		refuse(w, http.StatusServiceUnavailable, "too many pages are told at once: ask /status")
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // where it cannot be set there is none
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy is not to hold back what is to be seen now
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
		_ = control.SetWriteDeadline(time.Now().Add(5 * liveEvery)) // where it cannot be set there is none
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
