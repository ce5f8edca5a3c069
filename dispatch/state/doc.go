// Package state is the schema hooktail: its tables, in versions, and every statement that
// concerns them. It keeps what cannot be delivered now, what people have set for a hook, and
// how far the slot was read.
//
// It stands beside the lanes of package dispatch, which decide what is parked and when it is
// tried again; here it is only written and read. Healthy delivery writes nothing but the
// position.
//
//	Migrate    the tables, in versions; Statements prints them, Remove removes them
//	Check      whether a hooktail may run on the tables as they are
//	CheckCopy  whether they were copied from another database
//	Positions  how far a slot was read, and the gap in it
//	HooksSeen  what the hooks wanted where a slot stands
//	Apply      what the lanes have decided, in one transaction
//	Tail       a hook's parked deliveries in order; Heads the first of their tasks; Bodies of some
//	Backlogs   how much is parked and dead, by hook
//	List       what people look at: List, Show, Redrive, Discard; Expire and Trim delete
//	Settings   what people have said of a hook: paused, secrets
//	Adopt      who sends to a hook: one transaction with the application's row, whose table is handed in
//	Watch      a call whenever somebody has changed any of it
//
// A hook's deliveries are in the order of their events' ids: commit, ordinal,
// timeline. A row is made once: parking an event again for the same hook
// changes nothing.
//
// Whose rows somebody's open transaction has locked is not waited for by Apply, and waited
// for within bounds by what people ask for (Wait).
package state
