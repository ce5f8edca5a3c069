//go:build long

package mapping

// rounds is how often a property is checked with a hundred cases.
const rounds = 100
