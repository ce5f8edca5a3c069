package filter

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// costs charges each call by the size of its arguments. CEL's own model needs types known
// to the checker, and those of a body are unknown.
type costs struct{}

// Work is measured in bytes of a copied or searched string: this many bytes are one step,
// and other work counts as a multiple.
const (
	bytesPerStep = 100
	perByte      = 10 // per byte of text of a compared object
	perMatched   = 10 // per byte of a string matched by a regular expression, and 1 more for each byte of the expression
)

// CallCost implements cost.ActualCostEstimator.
func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	work := 0
	switch {
	case len(args) == 2 && (function == operators.Equals || function == operators.NotEquals):
		work = min(weight(args[0]), weight(args[1]))
	case len(args) == 2 && function == operators.In:
		work = workOfIn(args[0], args[1])
	case len(args) == 2 && function == "matches":
		work = length(args[0]) * (perMatched + length(args[1]))
	default:
		for _, arg := range args {
			work += length(arg)
		}
	}
	cost := 1 + uint64(work)/bytesPerStep
	return &cost
}

// workOfIn returns the work of searching a list for a value; in an object it is none.
func workOfIn(value, in ref.Val) int {
	list, ok := in.(traits.Lister)
	if !ok {
		return length(value)
	}
	n, _ := list.Size().(types.Int)
	return int(n) * (bytesPerStep + weight(value))
}

func length(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	default:
		return 0
	}
}

// weight returns the work of comparing the value with another one.
func weight(v ref.Val) int {
	switch v := v.(type) {
	case object:
		return v.bytes * perByte
	case array:
		return v.bytes * perByte
	case traits.Lister:
		return bytesPerStep + weightOf(v.Iterator(), func(element ref.Val) ref.Val { return element })
	case traits.Mapper:
		return bytesPerStep + weightOf(v.Iterator(), v.Get)
	default:
		return length(v)
	}
}

func weightOf(it traits.Iterator, value func(ref.Val) ref.Val) (sum int) {
	for it.HasNext() == types.True {
		sum += weight(value(it.Next()))
	}
	return sum
}
