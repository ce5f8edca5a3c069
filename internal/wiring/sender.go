package wiring

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/send"
)

// NewSender returns a sender as configured. secrets returns the signing keys of a hook;
// if it is nil, requests are not signed. The caller closes the sender.
func NewSender(cfg config.Config, version string, secrets func(hook int64) ([]send.SigningKey, error)) (*send.Sender, error) {
	egress, err := send.ParseEgress(string(cfg.Egress))
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

// Proxy returns the proxy for receivers: none unless configured.
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
			return nil, &config.Error{Err: errors.New("HOOKTAIL_PROXY=environment: HTTP_PROXY or HTTPS_PROXY is not a URL")} // the error may quote credentials
		}
	}
	return http.ProxyFromEnvironment, nil
}
