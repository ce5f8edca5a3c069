// Package setup makes what a run needs in the database, and keeps what a run leaves there
// for the next one: tables, publication and slot, and the position in the stream.
package setup
