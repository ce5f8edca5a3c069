package send

import (
	"net/http"
	"slices"
	"sync"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// template is common to all requests to a hook. It is read-only.
type template struct {
	hook    *hook.Hook
	host    string        // host of the URL, in lower case and without the port
	request *http.Request // without the body and what differs per attempt
	format  hook.Format
}

// newTemplate returns the template of a hook that is not refused. Credentials in the URL
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
			r.SetBasicAuth(latin1(user.Username()), latin1(password))
		}
		bare := *u
		bare.User = nil
		r.URL = &bare
	}
	return &template{hook, hook.URL.Host(), r, hook.Format()}
}

// headerOf returns the constant headers of the hook's requests: its own headers in its
// spelling, and application/json unless the hook overrides it. Headers that net/http
// looks up by their canonical name are stored under that name.
func headerOf(h hook.Headers) http.Header {
	out := make(http.Header, h.Len()+8)
	out["Content-Type"] = []string{"application/json"}
	for name, value := range h.Reveal() {
		switch canonical := http.CanonicalHeaderKey(name); canonical {
		case "Content-Type", "User-Agent", "Authorization":
			name = canonical
		}
		out[name] = []string{latin1(value)}
	}
	return out
}

// latin1 returns the text in ISO 8859-1, as the application sends it and most frameworks
// read it. Text with other characters, which the application cannot send, remains UTF-8.
func latin1(text string) string {
	runes := []rune(text)
	if len(runes) == len(text) || slices.Max(runes) > 0xff { // ASCII, or other characters
		return text
	}
	out := make([]byte, len(runes))
	for i, r := range runes {
		out[i] = byte(r)
	}
	return string(out)
}

// mostTemplates is the number of templates that are kept: creating one costs less than a
// request.
const mostTemplates = 4096

// templates caches the templates of hooks. It is safe for concurrent use.
type templates struct {
	mu   sync.RWMutex
	byID map[int64]*template // guarded by mu
}

// of returns the hook's template.
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
