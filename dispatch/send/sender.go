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

// AnswerBytes is how much of an answer's body an Outcome has at most.
const AnswerBytes = 512

// maxAnswer is how much of an answer's body is read. What is longer costs the
// connection.
const maxAnswer = 4 << 10

// Sender makes attempts: one POST each. It is safe for concurrent use.
type Sender struct {
	transport http.RoundTripper
	timeout   time.Duration
	userAgent []string
	secrets   func(hook int64) ([]SigningKey, error)
	close     func()
	failed    func(netip.AddrPort, time.Time) // notes an address that gave no answer
	envelopes envelopes
	templates templates
	clock     clock
}

// Options is what a Sender needs.
type Options struct {
	Timeout   time.Duration     // of a whole attempt; 0 is 1 s
	Egress    Egress            // of the own transport
	Version   string            // for User-Agent
	TLS       *tls.Config       // roots and certificate of the own transport; nil: the system's roots, no certificate
	Proxy     ProxyFunc         // which proxy the own transport asks; nil: none
	Resolver  *net.Resolver     // of the own transport; nil: the system's
	Transport http.RoundTripper // instead of the own, for tests

	// Secrets are the keys that the hook's requests are signed with: none, the
	// current one, or the current one and the one before. It is called once per
	// attempt, by many goroutines at once, and must not block. After an error nothing
	// is sent. Nil: nothing is signed.
	Secrets func(hook int64) ([]SigningKey, error)
}

// New is a Sender; Close it.
func New(o Options) *Sender {
	if o.Timeout == 0 {
		o.Timeout = time.Second
	}
	s := &Sender{
		transport: o.Transport, timeout: o.Timeout,
		userAgent: []string{"hooktail/" + cmp.Or(o.Version, "dev")},
		secrets:   o.Secrets,
		close:     func() {},
		failed:    func(netip.AddrPort, time.Time) {},
	}
	if s.secrets == nil {
		s.secrets = func(int64) ([]SigningKey, error) { return nil, nil }
	}
	if o.Transport == nil {
		own := newTransport(o)
		s.transport, s.close = own, own.close
		s.failed = own.dialer.known.fail
	}
	return s
}

// Close closes the connections that are idle.
func (s *Sender) Close() { s.close() }

// Message is what one attempt sends.
type Message struct {
	ID        string // of the event
	LSN       string // of its commit
	Committed string // RFC 3339 with microseconds
	Attempt   int    // from 1
	Origin    string // other than the stream; "" is the stream
	Body      mapping.Body

	// What CloudEvents say of the event besides.
	Action  mapping.Action // as the hook spells it
	Project int64          // 0: none
	Task    int64          // 0: none, or several
}

// Outcome is what became of an attempt.
type Outcome struct {
	Result     Result
	Status     int           // 0: there was no answer
	RetryAfter time.Duration // asked for by a 429 or 503; 0: not
	Err        error         // if there was no answer; free of secrets
	Took       time.Duration
	Answer     []byte // how the answer's body begins: it may repeat the request, so only those may see it who may see payloads
	Unsigned   bool   // nothing was sent, since the keys to sign it with are not to be had: Err says why

	Redirect string     // where a 3xx would lead, without what may be secret; "": nowhere
	Host     string     // that was to be reached, as the URL has it, without the port
	Contact  Contact    // with that host
	Addr     netip.Addr // of the host, with which no contact was made; invalid: not known
}

// Send makes one attempt, which ends after the timeout at the latest. The
// answer's status decides as soon as it is there: a receiver that has said 2xx
// has the event, however its answer ends. No redirect is followed. The hook must
// not be refused.
func (s *Sender) Send(ctx context.Context, hook *hook.Hook, m Message) Outcome {
	return s.send(ctx, hook, m, nil)
}

// send makes the attempt. sent, unless it is nil, is given the envelope with the request.
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
	answer, err := s.transport.RoundTrip(request) //nolint:bodyclose // e.read closes it
	if err != nil {
		// The context says best why net/http gave up.
		if cause := context.Cause(e); cause != nil && !errors.Is(err, ErrBlocked) {
			err = errors.Join(cause, err)
		}
		return s.unanswered(e, t, err, begun)
	}
	out := Outcome{
		Result: resultOfStatus(answer.StatusCode), Status: answer.StatusCode, Answer: e.read(answer.Body),
		Host: t.host, Contact: ContactMade,
	}
	if out.Result == Result3xx {
		out.Redirect = describeRedirect(t.request.URL, answer.Header.Get("Location"))
	}
	now := time.Now()
	out.Took = now.Sub(begun)
	if out.Status == http.StatusTooManyRequests || out.Status == http.StatusServiceUnavailable {
		out.RetryAfter, _ = parseRetryAfter(answer.Header.Get("Retry-After"), now)
	}
	return out
}

// unanswered is the outcome of an attempt that ended with an error.
func (s *Sender) unanswered(e *envelope, t *template, err error, begun time.Time) Outcome {
	now := time.Now()
	out := Outcome{
		Result: resultOfError(err), Err: errors.New(describe(err)), Took: now.Sub(begun),
		Host: t.host, Contact: contactOf(err, e.got.Conn != nil && !e.got.Reused),
	}
	if dial, ok := errors.AsType[*dialError](err); ok {
		out.Addr = dial.addr.Addr()
	}
	if e.got.Conn != nil && e.parent.Err() == nil {
		s.failed(addrPortOf(e.got.Conn), now)
	}
	return out
}

// request is that of the attempt, in the envelope.
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
