// Package tail prints the events of a stream as JSON lines, and delivers nothing. It is
// the path of a change without hooks and lanes. It uses its own temporary slot, so it
// does not disturb a hooktail that runs on the same database.
package tail
