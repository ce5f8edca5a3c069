package dispatchtest

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
)

// Transport is a RoundTripper without sockets.
type Transport func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f Transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Answer returns an answer with that status.
func Answer(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok"))}
}

// Writing returns a Transport that reports, as net/http's does, that it has written the
// request.
func Writing(answer *http.Response) Transport {
	return func(r *http.Request) (*http.Response, error) {
		httptrace.ContextClientTrace(r.Context()).WroteRequest(httptrace.WroteRequestInfo{})
		return answer, nil
	}
}
