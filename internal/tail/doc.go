// Package tail prints the events of a stream as JSON lines and delivers nothing. A change
// takes the same path as in the running program, without hooks and lanes. The slot is
// temporary, so a hooktail running on the same database is not disturbed.
package tail
