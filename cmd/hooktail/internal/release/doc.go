// Package release has no code, only tests: that the program is made the same way
// wherever it is made, and that a tag becomes a release which has everything in
// it. They build the program, so they stand apart from its own tests.
package release
