// Package release has only tests: builds are reproducible, and a tag becomes a
// complete release. The tests build the program, so they are apart from its own
// tests.
package release
