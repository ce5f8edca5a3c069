package receiver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestPrinterReadsEveryFormat: whatever form a hook has chosen, its event is printed by its
// action, and accepted.
func TestPrinterReadsEveryFormat(t *testing.T) {
	const body = `{"action": "ANNOTATION_CREATED", "annotation": {"id": 7}, "project": {"id": 3}}`
	const event = `{"specversion": "1.0", "id": "1-16B374D848-0", "source": "/projects/3", "type": "io.labelstud.annotation.created", "data": `
	for _, tt := range []struct{ name, body string }{
		{"labelstudio", body},
		{"cloudevents", body},
		{"cloudevents-structured", event + body + "}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			printed, status := post(t, tt.body)
			if status != http.StatusOK || !strings.Contains(printed, "ANNOTATION_CREATED") || !strings.Contains(printed, "annotation 7, project 3") {
				t.Errorf("status %d, printed %q", status, printed)
			}
		})
	}
}

// TestPrinterRefusesOtherRequests: what is no webhook is refused, and said to be none.
func TestPrinterRefusesOtherRequests(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `{"data": null}`, `{"data": {}}`, `{"data": "text"}`, `{"data": {"data": {"action": "X"}}}`, `{"action": ""}`, ``} {
		if printed, status := post(t, body); status != http.StatusBadRequest || !strings.Contains(printed, "not a webhook") {
			t.Errorf("%s: status %d, printed %q", body, status, printed)
		}
	}
}

// TestPrinterControlsNoTerminal: whoever can reach the receiver must not write to the
// terminal as they like.
func TestPrinterControlsNoTerminal(t *testing.T) {
	printed, status := post(t, `{"action": "\u001b[2J\nANNOTATION\u009b1m"}`)
	if status != http.StatusOK || strings.Count(printed, "\n") != 1 || strings.ContainsAny(printed, "\x1b\u009b") {
		t.Errorf("status %d, printed %q", status, printed)
	}
}

// post sends the body to a printer, and returns what it printed and answered.
func post(t *testing.T, body string) (printed string, status int) {
	t.Helper()
	var out strings.Builder
	answer := httptest.NewRecorder()
	(&Printer{Out: &out}).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	return out.String(), answer.Code
}
