package send

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/cloudevents"
)

// Exchange is an attempt in a form for people.
type Exchange struct {
	Outcome
	Headers []Header // headers of the request, sorted by name
	Body    []byte   // body of the request
}

// Header is a request header in a form for people. Value is *** if it may be secret: for
// headers set by the hook's row, including its URL's credentials, and for the signature.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Exchange makes one attempt, as Send does.
func (s *Sender) Exchange(ctx context.Context, hook *hook.Hook, m Message) Exchange {
	var e Exchange
	e.Outcome = s.send(ctx, hook, m, func(request *envelope) {
		e.Body = request.pieces.Bytes()
		for _, name := range slices.Sorted(maps.Keys(request.header)) {
			value := mask
			if isOwn(name, hook) {
				value = strings.Join(request.header[name], ", ")
			}
			e.Headers = append(e.Headers, Header{name, value})
		}
	})
	return e
}

// isOwn reports whether hooktail sets the header to a value that is not secret.
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
	default: // a hook cannot set any of these
		return name == "Idempotency-Key" || strings.HasPrefix(name, "webhook-") || strings.HasPrefix(name, "hooktail-")
	}
}

// HeaderNames returns the names of the headers of the hook's requests, sorted; none for a
// refused hook.
func (s *Sender) HeaderNames(ctx context.Context, hook *hook.Hook) []string {
	if hook.IsRefused() {
		return nil
	}
	keys, _ := s.secrets(hook.ID) // the names do not depend on the keys being usable
	e := s.envelopes.begin(ctx, s.timeout)
	defer s.envelopes.end(e)
	m := Message{ID: "an event", Committed: "now", Task: 1}
	return slices.Sorted(maps.Keys(s.request(e, s.templates.of(hook), &m, keys, time.Now()).Header))
}
