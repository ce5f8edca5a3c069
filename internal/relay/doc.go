// Package relay is the running program: it waits for the lead, and carries each change
// from the slot to the lanes of the hooks for as long as it has it.
//
// Run serves probes and metrics, asks for the lock, and serves a term whenever it has
// the lock. A term is one straight line: hooks, stream, pipeline, lanes. Several
// goroutines walk it, all of which end with the term.
//
//	relay      Run: ops server, lock, one term after another
//	term       what a term consists of, and the order in which it ends
//	pipeline   the path of a change; orphans wait beside it
//	lock, role who leads, and what this instance is at the moment
//	heartbeat  the proof that the stream flows; watchdog acts on its absence
//	keeper     the position, written for the next run
//	parking    the store and the lanes learn of each other's changes; expire
//	questions  what the path waits for, and how long
//	board      what the page shows and does
package relay
