package dispatch

import "maps"

// originHeader tells a receiver that a request is not of the stream.
const originHeader = "hooktail-origin"

// From is the hook with a header in all of its requests that says where they come
// from. The hook must not be refused.
func (h *Hook) From(origin string) *Hook {
	other, template := *h, *h.template
	template.Header = maps.Clone(h.template.Header)
	template.Header[originHeader] = []string{origin}
	other.template = &template
	return &other
}
