//go:build !soak

package proctest

// soak is whether the tests may take as long as they like.
// Soak is whether the tests that take long run, too.
const Soak = false
