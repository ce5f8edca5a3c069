package filter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Body is the members of an event's body. It decodes only what expressions use, and only
// once: a task of several megabytes costs an expression about the annotation's author
// nothing. It is not safe for concurrent use, and holds the bytes from which it was made.
// Integers are int, or uint if they are too large; numbers with a point or an exponent
// are double. A member missing from the body is an empty object without fields.
type Body struct {
	texts   [][]byte         // members separated by commas
	members map[string]*node // nil: not parsed yet
	fault   error            // error in the texts
}

// NewBody returns a body of these members, each a list of `"name": value` separated by
// commas, without braces.
func NewBody(texts ...[]byte) *Body { return &Body{texts: texts} }

func (b *Body) member(name string) ref.Val {
	if b.members == nil && b.fault == nil {
		b.members = make(map[string]*node, 4)
		for _, text := range b.texts {
			b.fault = cmp.Or(b.fault, fields(text, func(name string, value []byte) { b.members[name] = &node{text: value} }))
		}
	}
	if b.fault != nil {
		return types.WrapErr(b.fault)
	}
	n := b.members[name]
	if n == nil {
		n = &node{value: object{types.NewStringInterfaceMap(adapter{}, map[string]any{}), 0}}
		b.members[name] = n
	}
	return n.val()
}

// node is a value that is decoded on first use: of an object or an array, only that
// level.
type node struct {
	text  []byte
	value ref.Val // nil: not decoded yet
}

func (n *node) val() ref.Val {
	if n.value == nil {
		n.value = decode(n.text)
	}
	return n.value
}

// adapter converts nodes to CEL's values.
type adapter struct{}

// NativeToValue implements types.Adapter.
func (adapter) NativeToValue(value any) ref.Val {
	if n, ok := value.(*node); ok {
		return n.val()
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// object and array record the size of their text, which is the cost of comparing them.
type (
	object struct {
		traits.Mapper
		bytes int
	}
	array struct {
		traits.Lister
		bytes int
	}
)

// errSyntax is the error of a text that is not JSON. It does not quote the text.
var errSyntax = errors.New("the body is not JSON")

// decode returns the value of a text; an error value if it is not JSON.
func decode(text []byte) ref.Val {
	text = bytes.TrimSpace(text)
	switch string(text) {
	case "":
		return types.WrapErr(errSyntax)
	case "true":
		return types.True
	case "false":
		return types.False
	case "null":
		return types.NullValue
	}
	switch end := len(text) - 1; text[0] {
	case '{':
		m := make(map[string]any)
		if text[end] == '}' && fields(text[1:end], func(name string, value []byte) { m[name] = &node{text: value} }) == nil {
			return object{types.NewStringInterfaceMap(adapter{}, m), len(text)}
		}
	case '[':
		var list []*node
		if text[end] == ']' && elements(text[1:end], func(value []byte) { list = append(list, &node{text: value}) }) == nil {
			return array{types.NewDynamicList(adapter{}, list), len(text)}
		}
	case '"':
		if s, ok := unquote(text); ok {
			return types.String(s)
		}
	default:
		return number(text)
	}
	return types.WrapErr(errSyntax)
}

// number returns an int if the text is an integer that fits, otherwise a uint or a
// double.
func number(text []byte) ref.Val {
	if text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return types.WrapErr(errSyntax)
	}
	s := string(text)
	if !bytes.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return types.Int(n)
		}
		if n, err := strconv.ParseUint(s, 10, 64); err == nil {
			return types.Uint(n)
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || bytes.ContainsAny(text, "xXpP_nN") {
		return types.WrapErr(errSyntax)
	}
	return types.Double(n)
}

func unquote(text []byte) (string, bool) {
	if len(text) < 2 || text[len(text)-1] != '"' {
		return "", false
	}
	if inner := text[1 : len(text)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), bytes.IndexByte(inner, '"') < 0
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err == nil
}
