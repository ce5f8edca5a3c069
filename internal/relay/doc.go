// Package relay is the running program: it waits for the lead, and carries each change
// from the slot to the lanes of the hooks for as long as it has it.
//
// Run serves probes and metrics, asks for the lock, and serves a term whenever it has
// the lock. A term is one straight line: hooks, stream, pipeline, lanes. Several
// goroutines walk it, all of which end with the term.
//
//	relay      Run: ops server, lock, one term after another
//	term       what a term consists of; crew its goroutines, stop the order in which they end
//	pipeline   the path of a change; orphans wait beside it
//	outlet     where rendered events go: the lanes, or a second destination before them
//	lock, role who leads, and what this instance is at the moment
//	heartbeat  the proof that the stream flows; watchdog acts on its absence
//	memory     the memory of the stream, kept between terms and written for the next run
//	parking    the store and the lanes learn of each other's changes; expire
//	questions  what the path waits for, and how long
//	board      what the page shows and does
package relay
