package natslog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/hooktail/hooktail/internal/logging"
)

// Options configures a Log. Slot, URL and Log are required.
type Options struct {
	Slot string
	URL  string // of one server or several, separated by commas; may contain a user and a password

	// TLS returns the authorities and the client's certificate. It is called at each connect, for the
	// authorities; nil: TLS only if a server requires it, with the system's authorities.
	TLS func() (*tls.Config, error)

	// Credentials returns the content of a credentials file. It is called at each
	// connect; nil: there are none.
	Credentials func() string
	NKey        string // seed of a user; "": none

	Replicas int           // copies of streams and bucket, when they are created; 0: 1
	Topic    *TopicOptions // nil: events are not published to subscribers

	// Echo is how many bytes of what a Writer of this Log writes are kept in memory for its Tail,
	// which then need not read them from the servers; 0: none.
	Echo int
	Log  *slog.Logger
}

// Open connects to a server. It does not check whether the stream exists. Errors of the
// client and of the server can be examined with errors.Is; none shows a secret.
func Open(o Options) (*Log, error) {
	o.Replicas = max(1, o.Replicas)
	l := &Log{o: o, names: NamesOf(o.Slot), echo: newEcho(o.Echo), idle: idleFor, ended: make(chan struct{})}
	login, err := o.login()
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	if l.conn, err = nats.Connect(o.URL, append(o.session(l.ended), login...)...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", redact(err, o.URL))
	}
	// Without a timeout, the client keeps what a server has not acknowledged for ever, and refuses more after 4,000 messages.
	if l.js, err = jetstream.New(l.conn, jetstream.WithPublishAsyncTimeout(askWithin)); err != nil {
		l.conn.Close()
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return l, nil
}

// session returns the options of a connection that reconnects. If a server refuses the login twice, or
// what was sent, the client gives the connection up, and ended is closed.
func (o Options) session(ended chan<- struct{}) []nats.Option {
	var reported logging.Repeat
	return []nats.Option{
		nats.Name("hooktail " + o.Slot), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond), nats.Timeout(5 * time.Second),
		nats.PingInterval(5 * time.Second), nats.MaxPingsOutstanding(2), nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				o.Log.Warn("Lost the connection to NATS; reconnecting", "error", redact(err, o.URL))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { o.Log.Info("Reconnected to NATS") }),
		nats.ClosedHandler(func(*nats.Conn) { close(ended) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			reported.Failed(context.Background(), o.Log, slog.LevelError, "NATS reports an error", slog.Any("error", redact(err, o.URL)))
		}),
	}
}

// login returns the options for TLS and credentials.
func (o Options) login() (options []nats.Option, err error) {
	if o.TLS != nil {
		first, err := o.TLS()
		if err != nil {
			return nil, err
		}
		authorities := func() (*x509.CertPool, error) { // the client's certificate renews itself
			now, err := o.TLS()
			if err != nil {
				return nil, err
			}
			return now.RootCAs, nil
		}
		options = append(options, nats.Secure(first), nats.ClientTLSConfig(nil, authorities))
	}
	if o.Credentials != nil {
		options = append(options, nats.UserJWT(
			func() (string, error) { return nkeys.ParseDecoratedJWT([]byte(o.Credentials())) },
			func(nonce []byte) ([]byte, error) {
				pair, err := nkeys.ParseDecoratedUserNKey([]byte(o.Credentials()))
				return sign(pair, err, nonce)
			}))
	}
	if o.NKey != "" {
		pair, err := nkeys.FromSeed([]byte(o.NKey))
		if err != nil {
			return nil, err
		}
		defer pair.Wipe()
		public, err := pair.PublicKey()
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(public, func(nonce []byte) ([]byte, error) {
			pair, err := nkeys.FromSeed([]byte(o.NKey))
			return sign(pair, err, nonce)
		}))
	}
	return options, nil
}

// sign signs with the pair and forgets it.
func sign(pair nkeys.KeyPair, err error, nonce []byte) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}

// IsLoginRefused reports whether the server does not accept the credentials.
func IsLoginRefused(err error) bool {
	refusals := []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired}
	return slices.ContainsFunc(refusals, func(refusal error) bool { return errors.Is(err, refusal) })
}
