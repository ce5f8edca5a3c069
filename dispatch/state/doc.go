// Package state owns the schema hooktail: its tables, their versions, and every statement on
// them but one, the reading of hook_setting with the hooks' other rows (package hook). It
// stores deliveries that cannot be made now, the settings and the state of hooks across
// restarts, and the position in the stream.
//
// The lanes of package dispatch decide which deliveries are parked and when they
// are retried; this package only writes and reads them. Healthy delivery writes
// nothing but the position.
//
//	Migrate    the tables, in versions; Statements prints them, Remove removes them
//	Check      whether a hooktail may run on the tables as they are
//	CheckCopy  whether the tables were copied from another database
//	Positions  how far a slot was read, and the gap in it
//	HooksSeen  which events the hooks wanted where a slot stands
//	Apply      writes the decisions of the lanes, in one transaction
//	Tail       a hook's parked deliveries in order; Heads, the first of their tasks; Bodies
//	Backlogs   how much is parked and dead, by hook
//	List       for people: List, Show, Redrive, Discard; Expire and Trim delete
//	Settings   a hook's settings: paused, suspended, secrets
//	Adopt      hands hooks over, with the application's row in the same transaction
//	Watch      a call whenever somebody has changed any of these
//
// A hook's deliveries have the order of their events' ids: commit, ordinal,
// timeline. Parking an event again for the same hook changes nothing.
//
// Apply does not wait for rows that another session has locked. Changes that people ask for
// wait for them within bounds (Wait).
package state
