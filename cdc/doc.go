// Package cdc turns the bytes of one logical replication slot into committed
// transactions, and the progress of their consumer back into the position that
// the slot is confirmed at.
//
// It is the first room on the path of a change: WAL → cdc → mapping → dispatch
// → HTTP. It knows PostgreSQL (slots, publications, pgoutput, LSNs) and nothing
// of Label Studio, of webhooks or of HTTP.
//
// The path within the package:
//
//	Stream      connects again and again; one connection at a time is read by
//	reader      messages in, statuses out; never waits for the consumer in silence
//	message     one pgoutput message (protocol version 1), decoded
//	assembler   messages → Parts of committed transactions, bounded in rows and bytes
//	queue       the hand-over to the consumer, bounded in bytes
//	Position    what the consumer has finished → the LSN to confirm
//
// Beside the path: Setup and Teardown make and remove publication and slot. What
// trying again does not cure is a Fault, and what is missing a Gap.
package cdc
