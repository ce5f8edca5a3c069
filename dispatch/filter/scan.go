package filter

import "bytes"

// Values of a body are found without decoding them: unused values are only checked as far
// as necessary to find their ends.

// fields calls each for the members of an object, given without its braces. If a name
// occurs several times, the last one counts, as in PostgreSQL and Python.
func fields(text []byte, each func(name string, value []byte)) error {
	return list(text, func(at int) int {
		end := after(text, at)
		if text[at] != '"' || end < 0 {
			return -1
		}
		name, ok := unquote(text[at:end])
		colon := space(text, end)
		if !ok || colon >= len(text) || text[colon] != ':' {
			return -1
		}
		from := space(text, colon+1)
		if end = after(text, from); end >= 0 {
			each(name, text[from:end])
		}
		return end
	})
}

// elements calls each for the elements of an array, given without its brackets.
func elements(text []byte, each func(value []byte)) error {
	return list(text, func(at int) int {
		end := after(text, at)
		if end >= 0 {
			each(text[at:end])
		}
		return end
	})
}

// list calls each for the beginnings of the items, which commas separate. each returns the
// item's end; -1: it has none.
func list(text []byte, each func(at int) (end int)) error {
	for at := space(text, 0); at < len(text); {
		end := each(at)
		if end < 0 {
			return errSyntax
		}
		if at = space(text, end); at == len(text) {
			return nil
		}
		if text[at] != ',' {
			return errSyntax
		}
		if at = space(text, at+1); at == len(text) {
			return errSyntax
		}
	}
	return nil
}

// space returns the end of the space that begins here.
func space(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
		at++
	}
	return at
}

// after returns the end of the value that begins here; -1: it has no end, or there is no
// value.
func after(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	switch text[at] {
	case '"':
		return afterString(text, at)
	case '{', '[':
		return afterNested(text, at)
	}
	end := at
	for end < len(text) && isScalar(text[end]) {
		end++
	}
	if end == at {
		return -1
	}
	return end
}

// isScalar reports whether a number, true, false or null may contain the byte.
func isScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func afterString(text []byte, at int) int {
	for at++; at < len(text); {
		n := bytes.IndexByte(text[at:], '"')
		if n < 0 {
			return -1
		}
		quote := at + n
		slashes := 0
		for quote-slashes > at && text[quote-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return quote + 1
		}
		at = quote + 1
	}
	return -1
}

// afterNested counts brackets of both kinds together.
func afterNested(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			if at = afterString(text, at); at < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if at++; depth == 0 {
			return at
		}
	}
	return -1
}
