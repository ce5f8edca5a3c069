package send

import "net/url"

// describeRedirect describes the target of an answer's Location without secrets: scheme,
// host and port, and how the rest differs from the hook's own URL.
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
		return origin + " (the same path with a trailing slash)"
	default:
		return origin + " (another path or query)"
	}
}

// pathOf returns the path as requested.
func pathOf(u *url.URL) string {
	if path := u.EscapedPath(); path != "" {
		return path
	}
	return "/"
}
