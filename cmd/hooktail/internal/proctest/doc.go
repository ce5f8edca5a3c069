// Package proctest runs hooktail as a process, for tests that kill it, observe it
// from outside, or run it with other programs.
//
// Only tests use it. Main builds the program once per test binary, with the race
// detector if the tests have it. The program runs on a database of cdctest and
// sends to a receiver of dispatchtest.
package proctest
