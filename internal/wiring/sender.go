package wiring

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/send"
)

// NewSender makes requests as the configuration says. The secrets are those of a hook;
// nil signs nothing. The caller closes it.
func NewSender(cfg config.Config, version string, secrets func(hook int64) ([]send.SigningKey, error)) (*send.Sender, error) {
	egress, err := send.ParseEgress(cfg.Egress.String())
	if err != nil {
		return nil, &config.Error{Err: fmt.Errorf("HOOKTAIL_EGRESS: %w", err)}
	}
	tls, err := cfg.ClientTLS()
	if err != nil {
		return nil, err
	}
	proxy, err := Proxy(cfg)
	if err != nil {
		return nil, err
	}
	return send.New(send.Options{
		Timeout: cfg.Timeout, Egress: egress, Version: version,
		TLS: tls, Proxy: proxy, Secrets: secrets,
	}), nil
}

// Proxy is which proxy the receivers are reached through: none unless the
// configuration asks for one.
func Proxy(cfg config.Config) (send.ProxyFunc, error) {
	proxy, environment := cfg.ProxyURL()
	switch {
	case proxy != nil:
		return http.ProxyURL(proxy), nil
	case !environment:
		return nil, nil
	}
	for _, scheme := range []string{"http", "https"} {
		if _, err := http.ProxyFromEnvironment(&http.Request{URL: &url.URL{Scheme: scheme, Host: "receiver.invalid"}}); err != nil {
			return nil, &config.Error{Err: errors.New("HOOKTAIL_PROXY=environment: HTTP_PROXY or HTTPS_PROXY is no URL")} // err may quote credentials
		}
	}
	return http.ProxyFromEnvironment, nil
}
