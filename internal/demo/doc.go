// Package demo shows hooktail at work. In one process it starts a throwaway PostgreSQL
// with Label Studio's tables, two receivers and the running program, plays recorded
// changes, prints the events that arrive, and removes everything that it made.
//
//	demo      Run: set-up, tour, removal
//	database  the throwaway database and its two webhooks
//	endpoint  a receiver that can stop answering and come back
//	sidecar   the running program, its configuration, metrics and log
//	tour      the steps of the show and their verdict
package demo
