package dispatch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
)

// Reach goes the way of the hook's requests up to where one would be sent, and sends
// none: name, egress policy, connection, and TLS for an https URL. Its error says
// what is in the way, without secrets. Through a proxy it goes no further than the
// proxy. The hook must not be refused, and the transport be the Sender's own.
func (s *Sender) Reach(ctx context.Context, hook *Hook) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var err error
	switch t := s.transport.(type) {
	case *http.Transport:
		err = reach(ctx, t, hook)
	case *proxied:
		err = t.reach(ctx, hook)
	default:
		return errors.New("the transport is not the sender's own")
	}
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, ErrBlocked) {
		err = errors.Join(cause, err)
	}
	return errors.New(describe(err))
}

// reach connects directly. The connection is closed before anything is sent on it.
func reach(ctx context.Context, t *http.Transport, hook *Hook) error {
	u := hook.template.URL
	port := u.Port()
	if port == "" {
		port = u.Scheme // net knows http and https as names of ports
	}
	conn, err := t.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if u.Scheme != "https" {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	config := tlsConfig(t.TLSClientConfig)
	config.ServerName = u.Hostname()
	return tls.Client(conn, config).HandshakeContext(ctx)
}

// reach asks the egress policy, and connects to the proxy.
func (p *proxied) reach(ctx context.Context, hook *Hook) error {
	r := hook.template.WithContext(ctx)
	proxy, err := p.proxy(r)
	switch {
	case err != nil:
		return &unreachableError{"the proxy's URL cannot be used"}
	case proxy == nil:
		return reach(ctx, p.direct, hook)
	}
	if err := p.check(ctx, r.URL.Hostname()); err != nil {
		return err
	}
	port := proxy.Port()
	if port == "" {
		port = proxy.Scheme
	}
	conn, err := (&net.Dialer{Resolver: p.resolver}).DialContext(ctx, "tcp", net.JoinHostPort(proxy.Hostname(), port))
	if err != nil {
		return &unreachableError{"the proxy does not accept connections"}
	}
	return conn.Close()
}
