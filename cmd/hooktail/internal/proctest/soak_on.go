//go:build soak

package proctest

const soak = true
