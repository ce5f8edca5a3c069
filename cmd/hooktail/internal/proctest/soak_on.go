//go:build soak

package proctest

// Soak is whether the tests that take long run, too.
const Soak = true
