// Package repair makes a stream with a gap continue: it finds what is missing, recreates
// publication and slot where necessary, and parks events made of the rows that changed in
// the gap.
//
// It is the room of `hooktail repair`. It does not know commands or lanes.
package repair
