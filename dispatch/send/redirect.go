package send

import "net/url"

// describeRedirect says where an answer's Location leads, as far as it is no secret:
// scheme, host and port, and how the rest differs from the hook's own URL.
func describeRedirect(from *url.URL, location string) string {
	if location == "" {
		return ""
	}
	to, err := from.Parse(location)
	if err != nil || to.Host == "" {
		return "no usable URL"
	}
	const longest = 300
	origin := to.Scheme + "://" + to.Host
	if len(origin) > longest {
		return "no usable URL"
	}
	same := to.RawQuery == from.RawQuery
	switch {
	case same && to.EscapedPath() == pathOf(from):
		return origin + " (the same path)"
	case same && to.EscapedPath() == pathOf(from)+"/":
		return origin + " (the same path with a slash at its end)"
	default:
		return origin + " (another path or query)"
	}
}

// pathOf is the path as it is requested.
func pathOf(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}
