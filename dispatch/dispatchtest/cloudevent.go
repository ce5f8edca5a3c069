package dispatchtest

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// CloudEvent returns the valid event that the official SDK reads from the request.
func CloudEvent(t testing.TB, header http.Header, body []byte) *event.Event {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://receiver.example.com/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	e, err := binding.ToEvent(t.Context(), cehttp.NewMessageFromHttpRequest(request))
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		t.Fatalf("read a CloudEvent of %.300q with %v: %v", body, header, err)
	}
	return e
}
