package mapping

import (
	"bytes"
	"io"
	"iter"
	"slices"
)

// Body is a request body in pieces. Most of its bytes belong to other bodies too (the
// payload to those for other hooks, the project to those of the same batch), so it is
// never joined in memory, but read where it is needed. The zero Body is empty. A Body is
// read-only and holds what it was made from.
type Body struct {
	pieces pieces
}

type pieces [5][]byte

// BodyOf returns a body of one piece, which it holds.
func BodyOf(text []byte) Body { return Body{pieces{text}} }

// heads are the beginnings of bodies with more than the action, for all known action
// names.
var heads = func() map[Action][]byte {
	m := make(map[Action][]byte)
	for _, a := range actions {
		m[a] = headOf(a)
	}
	return m
}()

func headOf(a Action) []byte { return []byte(`{"action": "` + string(a) + `", `) }

var (
	comma = []byte(", ")
	brace = []byte("}")
)

// Body returns the request body with the action in the hook's spelling, with or without
// the payload; without payload it only has the action.
func (e *Event) Body(action Action, payload bool) Body {
	head, ok := heads[action]
	if !ok {
		head = headOf(action)
	}
	if !payload || len(e.Payload) == 0 {
		return Body{pieces{head[:len(head)-len(comma)], brace}}
	}
	if e.nested == nil {
		return Body{pieces{head, e.Payload, brace}}
	}
	return Body{pieces{head, e.Payload, comma, e.nested.json, brace}}
}

// Within returns the body between head and tail, which it takes over. It copies no pieces
// but short ones, if there are too many: the first to head and the last to tail.
func (b Body) Within(head, tail []byte) Body {
	var used pieces
	n := 0
	for piece := range b.Pieces() {
		used[n] = piece
		n++
	}
	inner := used[:n]
	if len(inner) > len(used)-2 {
		head, inner = append(head, inner[0]...), inner[1:]
	}
	if len(inner) > len(used)-2 {
		last := len(inner) - 1
		inner, tail = inner[:last], slices.Concat(inner[last], tail)
	}
	out := Body{pieces{head}}
	n = 1 + copy(out.pieces[1:], inner)
	out.pieces[n] = tail
	return out
}

// Members returns the members of the whole body without its action: lists of `"name":
// value`, separated by commas, without braces. They are read-only.
func (e *Event) Members() [2][]byte {
	if len(e.Payload) == 0 || e.nested == nil {
		return [2][]byte{e.Payload}
	}
	return [2][]byte{e.Payload, e.nested.json}
}

// Pieces returns the pieces of the body, none of them empty.
func (b Body) Pieces() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, piece := range b.pieces {
			if len(piece) > 0 && !yield(piece) {
				return
			}
		}
	}
}

// Len returns the number of bytes.
func (b Body) Len() (n int) {
	for _, piece := range b.pieces {
		n += len(piece)
	}
	return n
}

// AppendTo appends the body to dst.
func (b Body) AppendTo(dst []byte) []byte {
	for _, piece := range b.pieces {
		dst = append(dst, piece...)
	}
	return dst
}

// Bytes returns a copy of the body; nil if it is empty.
func (b Body) Bytes() []byte { return slices.Concat(b.pieces[:]...) }

// Equal reports whether both contain the same bytes, however they are split.
func (b Body) Equal(other Body) bool { return bytes.Equal(b.Bytes(), other.Bytes()) }

// Reader returns a reader of the whole body. Closing it does nothing.
func (b Body) Reader() io.ReadCloser { return &bodyReader{Body: b} }

type bodyReader struct {
	Body
	piece, at int
}

// Read fills p as far as possible: fewer calls mean fewer writes to the connection.
func (r *bodyReader) Read(p []byte) (n int, err error) {
	for r.piece < len(r.pieces) && n < len(p) {
		copied := copy(p[n:], r.pieces[r.piece][r.at:])
		n += copied
		if r.at += copied; r.at == len(r.pieces[r.piece]) {
			r.piece, r.at = r.piece+1, 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Close implements io.Closer, for http.Request.
func (r *bodyReader) Close() error { return nil }
