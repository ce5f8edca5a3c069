// Package state keeps in the database what cannot be delivered now: the rest
// of a lane that does not fit in memory, and the state of a hook that outlives
// the process.
//
// It stands beside the lanes of package dispatch, which decide what is parked
// and when it is tried again; here it is only written and read. Healthy delivery
// does not come here at all.
//
//	Migrate    the tables, in versions; Statements prints them, Drop removes them
//	Check      whether a hooktail may run on the tables as they are
//	Apply      what the lanes have decided, in one transaction
//	Tail       a hook's parked deliveries in order; Bodies of some of them
//	Backlogs   how much is parked and dead, by hook
//	List       what people look at: List, Show, Redrive, Discard, Expire
//	Settings   what people have said of a hook: adopted, paused, secrets
//	Watch      a call whenever somebody has changed any of it
//
// A hook's deliveries are in the order of their events' ids: commit, ordinal,
// timeline. A row is made once: parking an event again for the same hook
// changes nothing.
package state
