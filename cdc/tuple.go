package cdc

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Kind is the kind of a column's value in a Tuple.
type Kind byte

// The kinds of pgoutput's TupleData in text format.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
const (
	Null      Kind = 'n' // SQL null
	Unchanged Kind = 'u' // a TOASTed value that the UPDATE did not touch: not in the WAL
	Text      Kind = 't' // the value in the type's text form
)

// Tuple is one row in the layout of pgoutput's TupleData, with an index to its columns.
// The zero Tuple stands for "no row". A Tuple is read-only and shares the bytes from
// which it was made; it remains valid while it is referenced.
type Tuple struct {
	raw []byte
	at  []uint32 // offset of each column's kind byte in raw
}

// Value is a column for MakeTuple.
type Value struct {
	Kind Kind
	Text []byte
}

// MakeTuple returns a row with the values. It copies their bytes.
func MakeTuple(values ...Value) Tuple {
	size := 0
	for _, v := range values {
		size += 1
		if v.Kind == Text {
			size += 4 + len(v.Text)
		}
	}
	t := Tuple{raw: make([]byte, 0, size), at: make([]uint32, 0, len(values))}
	for _, v := range values {
		t.at = append(t.at, uint32(len(t.raw)))
		t.raw = append(t.raw, byte(v.Kind))
		if v.Kind == Text {
			t.raw = binary.BigEndian.AppendUint32(t.raw, uint32(len(v.Text)))
			t.raw = append(t.raw, v.Text...)
		}
	}
	return t
}

// IsZero reports whether there is no row.
func (t Tuple) IsZero() bool { return t.at == nil }

// Len returns the number of columns.
func (t Tuple) Len() int { return len(t.at) }

// Size returns the memory of the row with its index, in bytes.
func (t Tuple) Size() int { return len(t.raw) + 4*len(t.at) }

// Kind returns the kind of column i; Null if the row does not have the column.
func (t Tuple) Kind(i int) Kind {
	if i < 0 || i >= len(t.at) {
		return Null
	}
	return Kind(t.raw[t.at[i]])
}

// Text returns the value of column i in the type's text form, nil unless its Kind is
// Text. The bytes belong to the Tuple and must not be changed.
func (t Tuple) Text(i int) []byte {
	if t.Kind(i) != Text {
		return nil
	}
	from := t.at[i] + 1
	n := binary.BigEndian.Uint32(t.raw[from:])
	return t.raw[from+4 : from+4+n : from+4+n]
}

// tupleAt reads the TupleData at the start of src and returns the row and the rest. It
// appends to index; the row shares src.
func tupleAt(src []byte, index []uint32) (t Tuple, rest []byte, grown []uint32, err error) {
	if len(src) < 2 {
		return Tuple{}, nil, index, errShort
	}
	n := int(binary.BigEndian.Uint16(src))
	raw, pos, first := src[2:], 0, len(index)
	for range n {
		if pos >= len(raw) {
			return Tuple{}, nil, index, errShort
		}
		index = append(index, uint32(pos))
		switch kind := Kind(raw[pos]); kind {
		case Null, Unchanged:
			pos++
		case Text:
			if len(raw)-pos < 5 {
				return Tuple{}, nil, index, errShort
			}
			size := int64(binary.BigEndian.Uint32(raw[pos+1:]))
			if size > int64(len(raw)-pos-5) {
				return Tuple{}, nil, index, errShort
			}
			pos += 5 + int(size)
		default: // 'b', binary, is only sent on request
			return Tuple{}, nil, index, fmt.Errorf("unknown column kind %q", byte(kind))
		}
	}
	at := index[first:len(index):len(index)]
	if at == nil { // a row without columns is still a row
		at = []uint32{}
	}
	return Tuple{raw: raw[:pos:pos], at: at}, raw[pos:], index, nil
}

// makeUTF8 replaces each byte of the values that is not UTF-8 with DEL, in place. In JSON
// that is a character like any other; a URL or a header with it is refused.
func (t Tuple) makeUTF8() {
	const del = 0x7f
	for i := range t.Len() {
		for text := t.Text(i); len(text) > 0; {
			r, size := utf8.DecodeRune(text)
			if r == utf8.RuneError && size == 1 {
				text[0] = del
			}
			text = text[size:]
		}
	}
}
