// Package tail prints the events of a stream as JSON lines, and delivers nothing. It is
// the path of a change without hooks and lanes, on a temporary slot of its own: a
// hooktail that runs on the same database is not disturbed.
package tail
