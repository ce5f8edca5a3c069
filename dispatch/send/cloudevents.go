package send

import (
	"net/http"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/cloudevents"
	"github.com/hooktail/hooktail/mapping"
)

// attributes is reused for the CloudEvent attributes of one request after another.
type attributes struct {
	text   []byte    // buffer for their text
	values [5]string // values of headers
}

// describe adds the headers of the binary content mode: the body is the event's data,
// unchanged.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#31-binary-content-mode
func (e *envelope) describe(m *Message) {
	event, text := eventOf(m), e.event.text[:0]
	var ends [len(e.event.values)]int
	text = cloudevents.AppendHeaderValue(text, m.ID)
	ends[0] = len(text)
	text = event.AppendSource(text)
	ends[1] = len(text)
	text = event.AppendType(text)
	ends[2] = len(text)
	text = event.AppendSubject(text)
	ends[3] = len(text)
	text = cloudevents.AppendHeaderValue(text, m.Committed)
	ends[4] = len(text)
	e.event.text = text
	all, begin := string(text), 0
	for i, name := range [...]string{"ce-id", "ce-source", "ce-type", "ce-subject", "ce-time"} {
		if e.event.values[i] = all[begin:ends[i]]; ends[i] > begin {
			e.header[name] = e.event.values[i : i+1 : i+1]
		}
		begin = ends[i]
	}
}

// enclose returns the body of the structured content mode: a JSON object around the
// event's body, in pieces.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#32-structured-content-mode
func (e *envelope) enclose(m *Message) mapping.Body {
	event := eventOf(m)
	e.event.text = event.AppendHead(e.event.text[:0])
	return m.Body.Within(e.event.text, structuredTail)
}

var structuredTail = []byte(cloudevents.StructuredTail)

func eventOf(m *Message) cloudevents.Event {
	return cloudevents.Event{ID: m.ID, Action: string(m.Action), Project: m.Project, Task: m.Task, Time: m.Committed}
}

// reshape adapts a hook's headers to its format. A hook cannot set an event's attributes.
func reshape(header http.Header, format hook.Format) {
	if format == hook.LabelStudio {
		return
	}
	for name := range header {
		if cloudevents.IsHeader(name) {
			delete(header, name)
		}
	}
	switch {
	case format == hook.CloudEventsStructured:
		header["Content-Type"] = []string{cloudevents.StructuredType}
	case cloudevents.IsMediaType(header.Get("Content-Type")):
		header["Content-Type"] = []string{"application/json"} // the body is not a CloudEvent
	}
	if format == hook.CloudEvents {
		header["ce-specversion"] = []string{cloudevents.SpecVersion}
	}
}
