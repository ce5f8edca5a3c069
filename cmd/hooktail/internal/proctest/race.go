//go:build race

package proctest

// RaceEnabled reports whether the tests, and so the program, have the race detector.
const RaceEnabled = true
