// Package filter decides by a CEL expression over an event's body whether a hook gets the
// event.
//
// It only knows the body, not hooks or lanes. dispatch/hook compiles a hook's expression
// when its setting is read; the pipeline evaluates it between rendering and the lanes.
//
//	Filter  one compiled expression; immutable
//	Body    the members of one event's body, decoded when an expression uses them
//
// https://github.com/google/cel-spec/blob/master/doc/langdef.md
package filter
