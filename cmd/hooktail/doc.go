// Command hooktail delivers Label Studio's webhooks from its database: it reads
// PostgreSQL's logical replication stream, makes the events of Label Studio's
// webhooks guide of the row changes and POSTs them to the hooks that are rows of
// the same database.
//
// This package is the wiring: one file per command, run.go with the straight
// line from the stream to the lanes, and the server for operators. What a change
// becomes on its way is decided in the rooms that it wires: cdc, mapping and
// dispatch.
package main
