// Command hooktail delivers Label Studio's webhooks from its database: it reads
// PostgreSQL's logical replication stream, turns row changes into the events of Label
// Studio's webhooks guide and POSTs them to the hooks that are rows of the same
// database.
//
// This package holds the commands, one file each: a command reads its arguments and
// the configuration, calls another package and prints text or JSON. It starts no goroutine and
// contains no SQL. The running program is internal/relay.
package main
