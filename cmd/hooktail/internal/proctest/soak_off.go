//go:build !soak

package proctest

// soak is whether the tests may take as long as they like.
const soak = false
