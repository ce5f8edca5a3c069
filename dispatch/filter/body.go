package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Body is the members of an event's body. What expressions look at is decoded once, and
// nothing else: a task of some megabytes costs nothing to those that ask for the
// annotation's author. It serves one goroutine at a time, and keeps what it was made of.
//
// Integers are int, or uint beyond it; numbers with a point or an exponent are double. A
// member that the body does not have is an empty object: it has no fields.
type Body struct {
	texts   [][]byte         // members, separated by commas
	members map[string]*node // nil: not looked at yet
	fault   error            // of the texts
}

// NewBody is a body of these members, each a list of `"name": value` with commas between
// them, without braces.
func NewBody(texts ...[]byte) *Body { return &Body{texts: texts} }

// member is the value of a member of the body.
func (b *Body) member(name string) ref.Val {
	if b.members == nil && b.fault == nil {
		b.members = make(map[string]*node, 4)
		for _, text := range b.texts {
			if err := fields(text, func(name string, value []byte) { b.members[name] = &node{text: value} }); err != nil {
				b.fault = err
			}
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

// node is a value that is decoded when somebody looks at it: of an object or an array,
// that level alone.
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

// adapter makes CEL's values of nodes.
type adapter struct{}

// NativeToValue is for types.Adapter.
func (adapter) NativeToValue(value any) ref.Val {
	if n, ok := value.(*node); ok {
		return n.val()
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}

// object and array know how much text they were made of: what comparing them costs.
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

// errSyntax is the fault of a text that is not JSON. It does not quote the text.
var errSyntax = errors.New("the body is not JSON")

// decode is the value of a text; an error value if it is not JSON.
func decode(text []byte) ref.Val {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return types.WrapErr(errSyntax)
	}
	switch text[0] {
	case '{':
		m := make(map[string]any)
		if len(text) < 2 || text[len(text)-1] != '}' || fields(text[1:len(text)-1], func(name string, value []byte) { m[name] = &node{text: value} }) != nil {
			return types.WrapErr(errSyntax)
		}
		return object{types.NewStringInterfaceMap(adapter{}, m), len(text)}
	case '[':
		var list []*node
		if len(text) < 2 || text[len(text)-1] != ']' || elements(text[1:len(text)-1], func(value []byte) { list = append(list, &node{text: value}) }) != nil {
			return types.WrapErr(errSyntax)
		}
		return array{types.NewDynamicList(adapter{}, list), len(text)}
	case '"':
		if s, ok := unquote(text); ok {
			return types.String(s)
		}
	case 't', 'f', 'n':
		switch string(text) {
		case "true":
			return types.True
		case "false":
			return types.False
		case "null":
			return types.NullValue
		}
	default:
		return number(text)
	}
	return types.WrapErr(errSyntax)
}

// number is an int if it is written as one and fits, otherwise a uint or a double.
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

// unquote is the string of a JSON string.
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
