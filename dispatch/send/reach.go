package send

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// errReached ends a request that must not be sent.
var errReached = errors.New("the receiver is reached")

// Reach does everything for the hook's requests except sending one: name look-up, egress
// policy, connection, and TLS for an https URL. Its error describes what is in the way,
// without secrets. Through a proxy it only goes as far as the proxy. The hook must not be
// refused, and the transport must be the Sender's own.
func (s *Sender) Reach(ctx context.Context, hook *hook.Hook) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.own.reach(s.templates.of(hook).request.WithContext(ctx))
	if errors.Is(err, errReached) {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, ErrBlocked) {
		err = errors.Join(cause, err)
	}
	return errors.New(describe(err))
}

// reach connects, and closes the connection before anything is sent. It returns
// errReached if nothing is in the way.
func (t *ownTransport) reach(r *http.Request) error {
	proxied, err := t.isProxied(r)
	if err != nil {
		return err
	}
	d, proxy := t.dialer, ProxyFunc(nil)
	if proxied {
		d, proxy = t.hop, t.proxy
	}
	hangUp := func(dial dialFunc) dialFunc {
		return func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			conn.Close()
			return nil, errReached
		}
	}
	// net/http determines the address of a URL, also for names beyond ASCII.
	once := &http.Transport{DialContext: hangUp(d.dial), DialTLSContext: hangUp(d.dialTLS), Proxy: proxy}
	answer, err := once.RoundTrip(r)
	switch {
	case err == nil:
		answer.Body.Close()
	case proxied && isA[*dialError](err):
		return &unreachableError{why: "the proxy does not accept connections: " + describe(err)}
	}
	return err
}
