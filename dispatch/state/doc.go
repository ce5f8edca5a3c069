// Package state owns the schema hooktail: its tables, their versions, and all statements
// on them, except that package hook reads hook_setting with the hooks' other rows. It
// stores deliveries that cannot be made now, the settings and the state of hooks across
// restarts, and the position in the stream.
//
// The lanes of package dispatch decide which deliveries are parked and when they
// are retried; this package only writes and reads them. Healthy delivery writes
// nothing but the position.
//
//	Migrate    the tables, in versions; Statements prints them, Remove removes them
//	Check      whether this program may run on the present tables
//	CheckCopy  whether the tables were copied from another database
//	Positions  how far a slot was read, and the gap in it
//	HooksSeen  the events that the hooks wanted at a slot's position
//	Apply      writes the decisions of the lanes, in one transaction
//	Tail       a hook's parked deliveries in order; Heads, the first of their tasks; Bodies
//	Backlogs   how much is parked and dead, by hook
//	List       for people: List, Show, Redrive, Discard; Expire and Trim delete
//	Settings   a hook's settings: paused, suspended, secrets
//	Adopt      hands hooks over, with the application's row in the same transaction
//	Watch      notification of changes by people
//
// A hook's deliveries have the order of their events' ids: commit, ordinal,
// timeline. Parking an event again for the same hook changes nothing.
//
// Apply waits at most a second for rows that another session has locked. Changes
// requested by people wait longer (Wait).
package state
