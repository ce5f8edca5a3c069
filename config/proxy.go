package config

import (
	"net/url"
	"strconv"
)

// proxyEnvironment is the value of PROXY that enables HTTP_PROXY, HTTPS_PROXY and
// NO_PROXY.
const proxyEnvironment = "environment"

// ProxyURL returns the proxy set by PROXY, or nil. If environment is true, HTTP_PROXY,
// HTTPS_PROXY and NO_PROXY apply. The URL may contain credentials.
func (c Config) ProxyURL() (proxy *url.URL, environment bool) {
	text := c.Proxy.Reveal()
	if text == "" || text == proxyEnvironment {
		return nil, text == proxyEnvironment
	}
	proxy, _ = url.Parse(text) // Load has checked it
	return proxy, false
}

func checkProxy(text Secret) error {
	if text.Reveal() == "" || text.Reveal() == proxyEnvironment {
		return nil
	}
	proxy, err := url.Parse(text.Reveal())
	switch {
	case err != nil:
		return problem("cannot be parsed")
	case proxy.Scheme != "http" && proxy.Scheme != "https":
		return problem("has another URL scheme")
	case proxy.Hostname() == "":
		return problem("has no host")
	case proxy.Path != "" && proxy.Path != "/" || proxy.RawQuery != "" || proxy.Fragment != "":
		return problem("has more than a scheme, a host and a port")
	}
	if port := proxy.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return problem("has no port from 1 to 65535")
		}
	}
	return nil
}
