package dispatch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// maxAnswer is how much of an answer's body is read. What is longer costs the
// connection.
const maxAnswer = 4 << 10

// Sender makes attempts: one POST each. It is safe for concurrent use.
type Sender struct {
	transport http.RoundTripper
	timeout   time.Duration
	userAgent []string
	close     func()
}

// SenderOptions is what a Sender needs.
type SenderOptions struct {
	Timeout     time.Duration     // of a whole attempt; 0 is 1 s
	Egress      Egress            // of the own transport
	Concurrency int               // of requests to one host, for which connections are kept; 0 is 64
	Version     string            // for User-Agent
	Transport   http.RoundTripper // instead of the own, for tests
}

// NewSender is a Sender; Close it.
func NewSender(o SenderOptions) *Sender {
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	s := &Sender{
		transport: o.Transport, timeout: o.Timeout,
		userAgent: []string{"hooktail/" + or(o.Version, "dev")},
		close:     func() {},
	}
	if o.Transport == nil {
		own := newTransport(o)
		s.transport, s.close = own, own.CloseIdleConnections
	}
	return s
}

// newTransport speaks HTTP/1.1 on connections that are kept, asks no proxy, and
// leaves the body's encoding alone.
func newTransport(o SenderOptions) *http.Transport {
	dialer := &net.Dialer{Timeout: o.Timeout, Control: o.Egress.Control}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dialer.DialContext,
		Protocols:              &protocols,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    max(o.Concurrency, 64), // several hooks may share a host
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Close closes the connections that are idle.
func (s *Sender) Close() { s.close() }

// Message is what one attempt sends.
type Message struct {
	ID        string // of the event
	LSN       string // of its commit
	Committed string // RFC 3339 with microseconds
	Attempt   int    // from 1
	Body      []byte // read-only
}

// Outcome is what became of an attempt.
type Outcome struct {
	Result     Result
	Status     int           // 0: there was no answer
	RetryAfter time.Duration // asked for by a 429 or 503; 0: not
	Err        error         // if there was no answer; free of secrets
	Took       time.Duration
}

// Send makes one attempt, which ends after the timeout at the latest. The
// answer's status decides as soon as it is there: a receiver that has said 2xx
// has the event, however its answer ends. No redirect is followed. The hook must
// not be refused.
func (s *Sender) Send(ctx context.Context, hook *Hook, m Message) Outcome {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := s.transport.RoundTrip(s.request(ctx, hook, m, begun)) //nolint:bodyclose // discard closes it
	if err != nil {
		// The context says best why net/http gave up.
		if cause := ctx.Err(); cause != nil && !errors.Is(err, ErrBlocked) {
			err = errors.Join(cause, err)
		}
		return Outcome{Result: resultOfError(err), Err: errors.New(describe(err)), Took: time.Since(begun)}
	}
	discard(answer.Body)
	out := Outcome{Result: resultOfStatus(answer.StatusCode), Status: answer.StatusCode}
	now := time.Now()
	out.Took = now.Sub(begun)
	if out.Status == http.StatusTooManyRequests || out.Status == http.StatusServiceUnavailable {
		out.RetryAfter, _ = parseRetryAfter(answer.Header.Get("Retry-After"), now)
	}
	return out
}

// request copies the hook's template and adds what differs per attempt.
func (s *Sender) request(ctx context.Context, hook *Hook, m Message, now time.Time) *http.Request {
	r := hook.template.WithContext(ctx)
	h := maps.Clone(r.Header)
	if _, own := h["User-Agent"]; !own {
		h["User-Agent"] = s.userAgent
	}
	values := [...]string{m.ID, strconv.FormatInt(now.Unix(), 10), strconv.Itoa(m.Attempt), m.LSN, m.Committed}
	// net/http sends again by itself, on a new connection, what it sent on a kept
	// one that turned out to be closed: it may, because of Idempotency-Key.
	h["Idempotency-Key"] = values[0:1:1]
	h["webhook-id"] = values[0:1:1]
	h["webhook-timestamp"] = values[1:2:2]
	h["webhook-attempt"] = values[2:3:3]
	h["hooktail-lsn"] = values[3:4:4]
	h["hooktail-commit-time"] = values[4:5:5]
	r.Header = h
	r.ContentLength = int64(len(m.Body))
	r.Body = newBody(m.Body)
	r.GetBody = func() (io.ReadCloser, error) { return newBody(m.Body), nil }
	return r
}

func newBody(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }

// discard reads the answer to its end, so that the connection can be used again,
// or gives it up: when it is too long, broken, or not there in time.
func discard(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxAnswer+1) // what the receiver says besides its status means nothing
	_ = body.Close()
}
