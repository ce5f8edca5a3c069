package send

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/cloudevents"
)

// Exchange is an attempt for a person to look at.
type Exchange struct {
	Outcome
	Headers []Header // of the request, in alphabetical order of their names
	Body    []byte   // of the request, as it was sent
}

// Header is a header of a request for a person to look at. Value is *** where it may be
// a secret: in headers that the hook's row sets, its URL's credentials among them, and
// in the signature.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Exchange makes one attempt as Send does.
func (s *Sender) Exchange(ctx context.Context, hook *hook.Hook, m Message) Exchange {
	var e Exchange
	e.Outcome = s.send(ctx, hook, m, func(request *envelope) {
		e.Headers, e.Body = shownHeaders(request.header, hook), request.pieces.Bytes()
	})
	return e
}

// shownHeaders copies the headers without what is secret in them.
func shownHeaders(header http.Header, hook *hook.Hook) []Header {
	var shown []Header
	for _, name := range slices.Sorted(maps.Keys(header)) {
		value := "***"
		if isOwn(name, hook) {
			value = strings.Join(header[name], ", ")
		}
		shown = append(shown, Header{name, value})
	}
	return shown
}

// isOwn reports whether hooktail sets the header, to what is no secret.
func isOwn(name string, of *hook.Hook) bool {
	switch {
	case name == signatureHeader:
		return false
	case name == "Content-Type" && of.Format() == hook.CloudEventsStructured:
		return true
	case name == "Content-Type", name == "User-Agent":
		return !of.Headers.Has(name)
	case cloudevents.IsHeader(name):
		return of.Format() != hook.LabelStudio
	default: // a hook may set none of these
		return name == "Idempotency-Key" || strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "hooktail-")
	}
}

// HeaderNames is the names of the headers that the hook's requests have now, in
// alphabetical order; none of a hook that is refused.
func (s *Sender) HeaderNames(ctx context.Context, hook *hook.Hook) []string {
	if hook.IsRefused() {
		return nil
	}
	keys, _ := s.secrets(hook.ID) // the names do not depend on them being good
	e := s.envelopes.begin(ctx, s.timeout)
	defer s.envelopes.end(e)
	m := Message{ID: "an event", Committed: "now", Task: 1}
	return slices.Sorted(maps.Keys(s.request(e, s.templates.of(hook), &m, keys, time.Now()).Header))
}
