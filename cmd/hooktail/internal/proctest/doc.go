// Package proctest runs hooktail as a process of its own, for tests that kill it,
// look at it from outside, or put it beside other programs.
//
// It is for tests alone. The program is built once per test binary (Main), with
// the race detector where the tests have it, and runs on a database of cdctest;
// the receiver is dispatchtest's.
package proctest
