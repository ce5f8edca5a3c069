//go:build soak

package proctest

// Soak is whether the tests may take as long as they like.
const Soak = true
