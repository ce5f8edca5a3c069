// Package state stores deliveries that cannot be made now in the database: those
// of a lane that do not fit in memory, and the state of hooks across restarts.
//
// The lanes of package dispatch decide which deliveries are parked and when they
// are retried; this package only writes and reads them. Healthy delivery does not
// use it.
//
//	Migrate    the tables, in versions; Statements prints them, Drop removes them
//	Check      whether a hooktail may run on the tables as they are
//	Apply      writes the decisions of the lanes, in one transaction
//	Tail       a hook's parked deliveries in order; Bodies of some of them
//	Backlogs   how much is parked and dead, by hook
//	List       for people: List, Show, Redrive, Discard, Expire
//	Settings   a hook's settings: adopted, paused, secrets
//	Watch      a call whenever somebody has changed any of these
//
// A hook's deliveries have the order of their events' ids: commit, ordinal,
// timeline. Parking an event again for the same hook changes nothing.
package state
