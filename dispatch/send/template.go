package send

import (
	"net/http"
	"sync"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// template is what all requests to a hook have in common. It is read-only.
type template struct {
	hook    *hook.Hook
	host    string        // of the URL, in lower case and without the port
	request *http.Request // without a body and what differs per attempt
	format  hook.Format
}

// newTemplate is the template of a hook that is not refused. Credentials in the URL
// become basic authentication unless the hook has an Authorization header.
func newTemplate(hook *hook.Hook) *template {
	u := hook.URL.Reveal()
	r := &http.Request{
		Method: http.MethodPost, URL: u, Host: u.Host,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: headerOf(hook.Headers),
	}
	reshape(r.Header, hook.Format())
	if user := u.User; user != nil {
		if r.Header.Get("Authorization") == "" {
			password, _ := user.Password()
			r.SetBasicAuth(user.Username(), password)
		}
		bare := *u
		bare.User = nil
		r.URL = &bare
	}
	return &template{hook, hook.URL.Host(), r, hook.Format()}
}

// headerOf makes what every request of the hook carries: its own headers with
// names written as the hook writes them, and application/json unless the hook
// says otherwise. Those that net/http looks for by their canonical name
// are put under that name.
func headerOf(h hook.Headers) http.Header {
	out := make(http.Header, h.Len()+8)
	out["Content-Type"] = []string{"application/json"}
	for name, value := range h.Reveal() {
		switch canonical := http.CanonicalHeaderKey(name); canonical {
		case "Content-Type", "User-Agent", "Authorization":
			name = canonical
		}
		out[name] = []string{value}
	}
	return out
}

// mostTemplates is how many templates are kept: making one costs less than a request.
const mostTemplates = 4096

// templates keeps the templates of the hooks that requests were made for. It is safe for
// concurrent use.
type templates struct {
	mu   sync.RWMutex
	byID map[int64]*template // guarded by mu
}

// of is the hook's template.
func (c *templates) of(hook *hook.Hook) *template {
	c.mu.RLock()
	t := c.byID[hook.ID]
	c.mu.RUnlock()
	if t != nil && t.hook == hook {
		return t
	}
	t = newTemplate(hook)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = make(map[int64]*template)
	}
	for other := range c.byID {
		if len(c.byID) < mostTemplates {
			break
		}
		delete(c.byID, other)
	}
	c.byID[hook.ID] = t
	return t
}
