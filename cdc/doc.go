// Package cdc turns the bytes of one logical replication slot into committed
// transactions, and turns its consumer's progress into the position that it
// confirms to the slot.
//
// It is the first package on the path of a change: WAL → cdc → mapping →
// dispatch → HTTP. It knows PostgreSQL (slots, publications, pgoutput, LSNs), but
// not Label Studio, webhooks or HTTP.
//
// The path within the package:
//
//	Stream      reconnects after failures; a reader reads each connection
//	reader      messages in, statuses out; keeps reporting while the consumer is slow
//	message     one decoded pgoutput message (protocol version 1)
//	assembler   messages → Parts of committed transactions, bounded in rows and bytes
//	queue       hands parts to the consumer, bounded in bytes
//	Position    the transactions that the consumer has finished → the LSN to confirm
//
// Outside the path, Setup and Teardown create and remove publication and slot. A Fault is
// an error that retrying does not fix; a Gap means that changes are missing.
package cdc
