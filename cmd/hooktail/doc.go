// Command hooktail delivers Label Studio's webhooks from its database. It reads
// PostgreSQL's logical replication stream, turns row changes into the events of
// Label Studio's webhooks guide, and POSTs them to the hooks in the same database.
//
// This package has the commands, one file each: it parses arguments, calls another
// package, and prints text or JSON. Package internal/relay is the running program.
package main
