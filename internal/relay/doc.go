// Package relay is the running program. While it leads, it carries each change from the
// slot to the lanes of the hooks.
//
// Run serves probes and metrics, asks for the lock, and serves a term while it holds
// the lock. A term is one straight line: hooks, stream, pipeline, lanes. Several
// goroutines run it, and all of them end with the term.
//
//	relay      Run: ops server, lock, one term after another
//	term       the parts of a term; ends: its goroutines and their order at the end
//	pipeline   the path of a change; orphans wait beside it
//	lanes      deliver rendered events; an Outlet may be before them, with a log instead of them
//	lock, role which instance leads, and the current role of this one; lease: which sends what
//	heartbeat  proves that the stream flows, and acts if it does not
//	memory     the memory of the stream, kept between terms and written for the next run
//	parking    tells the store and the lanes of each other's changes; expires deliveries
//	questions  the queries that the path waits for, and their durations
//	board      the data and the actions of the page
package relay
