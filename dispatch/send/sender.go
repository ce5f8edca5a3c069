package send

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// AnswerBytes is the maximum size of an answer's body in an Outcome.
const AnswerBytes = 512

// maxAnswer is how much of an answer's body is read. After a longer one the connection is
// closed.
const maxAnswer = 4 << 10

// Sender makes attempts: one POST each. It is safe for concurrent use.
type Sender struct {
	transport http.RoundTripper
	timeout   time.Duration
	userAgent []string
	secrets   func(hook int64) ([]SigningKey, error)
	own       *ownTransport // the transport; nil: Options.Transport replaces it
	envelopes envelopes
	templates templates
	clock     clock
}

// Options configures a Sender.
type Options struct {
	Timeout   time.Duration     // of a whole attempt; default 1 s
	Egress    Egress            // for the Sender's own transport
	Version   string            // program version, for User-Agent
	TLS       *tls.Config       // roots and certificate of the own transport; nil: the system's roots, no certificate
	Proxy     ProxyFunc         // proxy of the own transport; nil: none
	Resolver  *net.Resolver     // for the own transport; nil: the system's
	Transport http.RoundTripper // replaces the own transport, for tests

	// Secrets returns the keys that sign the hook's requests: none, the current one, or
	// the current and the previous one. It is called once per attempt, concurrently, and
	// must not block. After an error nothing is sent. Nil: requests are not signed.
	Secrets func(hook int64) ([]SigningKey, error)
}

// New returns a Sender, which must be closed.
func New(o Options) *Sender {
	o.Timeout = cmp.Or(o.Timeout, time.Second)
	s := &Sender{
		transport: o.Transport, timeout: o.Timeout,
		userAgent: []string{"hooktail/" + cmp.Or(o.Version, "dev")},
		secrets:   o.Secrets,
	}
	if s.secrets == nil {
		s.secrets = func(int64) ([]SigningKey, error) { return nil, nil }
	}
	if o.Transport == nil {
		s.own = newTransport(o)
		s.transport = s.own
	}
	return s
}

// Close closes idle connections.
func (s *Sender) Close() {
	if s.own != nil {
		s.own.close()
	}
}

// Message is the content of one attempt.
type Message struct {
	ID        string // id of the event
	LSN       string // position of its commit
	Committed string // RFC 3339 with microseconds
	Attempt   int    // from 1
	Origin    string // for events that do not come from the stream; "": the stream
	Body      mapping.Body

	// Further attributes of CloudEvents.
	Action  mapping.Action // in the hook's spelling
	Project int64          // 0: none
	Task    int64          // 0: none, or several
}

// Outcome is the result of an attempt.
type Outcome struct {
	Result     Result
	Status     int           // 0: no answer
	RetryAfter time.Duration // requested by a 429 or 503; 0: none
	Err        error         // set if there was no answer; contains no secrets
	Took       time.Duration
	Answer     []byte // beginning of the answer's body; it may repeat the request, so only people who may see payloads may see it
	Unsigned   bool   // nothing was sent, since the signing keys are unusable: see Err

	Redirect string     // target of a 3xx without secrets; "": none
	Host     string     // destination host as in the URL, without the port
	Contact  Contact    // with that host
	Addr     netip.Addr // address of the host that was not contacted; invalid: unknown
}

// Send makes one attempt, which ends within the timeout. The answer's status decides
// immediately: a receiver that has answered 2xx has the event, however its answer goes on.
// Redirects are not followed. The hook must not be refused.
func (s *Sender) Send(ctx context.Context, hook *hook.Hook, m Message) Outcome {
	return s.send(ctx, hook, m, nil)
}

// send makes the attempt. sent, if not nil, gets the envelope with the request.
func (s *Sender) send(ctx context.Context, hook *hook.Hook, m Message, sent func(*envelope)) Outcome {
	begun := time.Now()
	keys, err := s.secrets(hook.ID)
	if err != nil {
		return Outcome{Unsigned: true, Err: err}
	}
	t := s.templates.of(hook)
	e := s.envelopes.begin(ctx, s.timeout)
	defer s.envelopes.end(e)
	request := s.request(e, t, &m, keys, begun)
	if sent != nil {
		sent(e)
	}
	answer, err := s.transport.RoundTrip(request)
	if s.own != nil && e.got.Reused && e.Err() == nil && e.isConfused(answer, err) {
		if err == nil {
			answer.Body.Close() // its end may come late, or never
		}
		answer, err = s.own.once(e.again()) //nolint:bodyclose // e.read closes it
	}
	if err != nil {
		// The context knows best why net/http gave up.
		if cause := context.Cause(e); cause != nil && !errors.Is(err, ErrBlocked) {
			err = errors.Join(cause, err)
		}
		if status := e.status(); status != 0 && !isTimeout(err) && ctx.Err() == nil {
			out := answered(t, status)
			out.Took = time.Since(begun)
			return out
		}
		return s.unanswered(e, t, err, begun)
	}
	out := answered(t, answer.StatusCode)
	out.Answer = e.read(answer.Body)
	if out.Result == Result3xx {
		out.Redirect = describeRedirect(t.request.URL, answer.Header.Get("Location"))
	}
	now := time.Now()
	out.Took = now.Sub(begun)
	if out.Status == http.StatusTooManyRequests || out.Status == http.StatusServiceUnavailable {
		out.RetryAfter, _ = parseRetryAfter(answer.Header.Get("Retry-After"), answer.Header.Get("Date"), now)
	}
	return out
}

// isConfused reports whether an answer on a kept connection may be about something else than the
// request, because a receiver has left something of the exchange before it there.
//
// A receiver that has not read the body of that request takes it for the beginning of this one.
// Python's http.server and what is built on it do that unless the handler reads the body
// (https://github.com/pallets/werkzeug/issues/2397). Servers close the connection after a request
// that they cannot read, and keep it after one that they have read and refuse, which is not repeated.
//
// A receiver that sends more than its answer has, such as a body after a 204, sends that when this
// request is on its way: it is no answer at all.
//
// A receiver that closes an idle connection may do so when this request is on its way. One that fails
// while it works on the request does the same: net/http, if it could repeat the request, would do so on
// every kept connection, and a receiver that dies of an event would die once for each of them.
// A connection that is taken for dead is closed before the request is sent.
//
// Label Studio keeps no connections.
func (e *envelope) isConfused(answer *http.Response, err error) bool {
	if err != nil {
		return e.status() == 0
	}
	switch answer.StatusCode {
	case http.StatusRequestTimeout: // the receiver was closing the connection (RFC 9110, section 15.5.9)
		return answer.Close
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented,
		http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge: // the body is longer than a line may be
		return answer.Close
	}
	return false
}

// answered returns the outcome of an attempt that was answered with the status.
func answered(t *template, status int) Outcome {
	return Outcome{Result: resultOfStatus(status), Status: status, Host: t.host, Contact: ContactMade}
}

// unanswered returns the outcome of an attempt that ended with an error.
func (s *Sender) unanswered(e *envelope, t *template, err error, begun time.Time) Outcome {
	now := time.Now()
	out := Outcome{
		Result: resultOfError(err), Err: errors.New(describe(err)), Took: now.Sub(begun),
		Host: t.host, Contact: contactOf(err, e.got.Conn != nil && !e.got.Reused),
	}
	if dial, ok := errors.AsType[*dialError](err); ok && !isOfProxy(err) {
		out.Addr = dial.addr.Addr()
	}
	if s.own != nil && e.got.Conn != nil && e.parent.Err() == nil {
		s.own.failed(e.got.Conn, now)
		if c, ok := e.got.Conn.(*requestConn); ok && e.got.Reused && out.Result == ResultTimeout {
			c.dialer.silent.fail(addrPortOf(c), now)
		}
	}
	return out
}

// request returns the attempt's request, in the envelope.
func (s *Sender) request(e *envelope, t *template, m *Message, keys []SigningKey, now time.Time) *http.Request {
	timestamp := s.clock.text(now)
	body := m.Body
	if t.format == hook.CloudEventsStructured {
		body = e.enclose(m)
	}
	request := e.fill(t.request, m, body, s.userAgent, timestamp, Sign(keys, m.ID, timestamp, body))
	if t.format == hook.CloudEvents {
		e.describe(m)
	}
	return request
}
