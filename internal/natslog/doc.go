// Package natslog is the log between a reader and its senders: rendered events in a stream
// of NATS JetStream. The reader is the instance that leads on the slot; a sender takes
// partitions of the log and delivers their events. The package uses JetStream as a log,
// not as a queue: no acknowledgement, no redelivery, no consumer state that matters.
//
// # Stream and buckets
//
// One stream per slot, HOOKTAIL_<slot>, in a file store: subjects ht.<slot>.d.00 to .63 and
// ht.<slot>.fence, atomic batches allowed, no direct reads, discard new, no maximum age. A full
// stream refuses the next message, and the slot waits. One key-value bucket, HOOKTAIL_<slot>, holds the
// bookmark of each partition, and names the database to which the log belongs.
//
// A partition is hook mod 64: concurrency, probes, pauses and Retry-After belong to one hook
// and need one owner. No URL, header or secret of a hook is in the log.
//
// # Messages
//
// A message is an event with the hooks of one partition that want it, or a change of a hook.
// Its headers are:
//
//	Ht-Id       the event's id; of a change: "change-<LSN>-<hook>"; if any hook may have changed
//	            before a reader's term: "change-<LSN>-all-<term>"
//	Ht-Before   the id of the partition's previous message; empty: this is the first one
//	Ht-Prefix   prefix and floor of the reader, "1-16B3748 4711": all events of commits up to
//	            this LSN were in the log before the batch of this message; no message below
//	            that sequence belongs to a later commit
//	Ht-Number   the message's number in its partition, from 1
//	Ht-Hooks    the hooks with their actions, "7=TASK_CREATED 71=TASKS_CREATED,bare"; bare:
//	            the hook receives the action alone
//	Ht-Event    action, project, task, time of the commit
//	Ht-Stored   1: the payload is in the table log_body
//
// The data is the payload's members after "action", from which the body for each hook is made.
// A payload of more than 512 KiB is written to log_body before its message.
//
// # The reader
//
// Writer is the outlet of the pipeline. It cuts rendered events into batches, between events, at
// 128 messages and 8 MiB, and waits for the acknowledgement of each. Every message names the
// sequence that it follows, so the servers have a first part of a batch, or all of it. Any
// refusal ends the term.
//
// A deposed reader may have part of a batch on its way. So a reader begins with a fence, after
// which nothing of earlier readers reaches the log: see Writer.fence. Atomic batches for the
// events would do without, but a server makes a store and syncs a file for each.
//
// Events are not written in the order of their ids, so the last id in the log is no high-water
// mark. A new reader takes prefix and floor from the last message, reads the messages above
// the prefix, and skips exactly the (partition, id) that it finds.
//
// Delivery.Done is called when the server has acknowledged the batch. Holdback then delays
// the confirmation of the slot: by default the server syncs its files every two minutes, and
// loses later messages at a loss of power, acknowledged or not. The slot is confirmed only up
// to the prefix of two sync intervals ago, and only if the log still ended where the writer
// left it since then.
//
// # The sender
//
// Tail reads the partitions of a sender in the order of the log, and Progress records which
// deliveries of a partition are done. A bookmark consists of the last message of the delivered
// prefix (sequence and id), the Ht-Prefix of that message, and the ids delivered above it. The
// ids are authoritative; the sequence only tells where to look, since a stream that was cut
// back by a loss of power has other messages at the same sequences.
//
// In a process that also writes, a tail that is not far behind takes the messages from an echo of
// what the Writer has written. The Writer waits for such a tail, a moment for each batch. If the
// tail falls behind all the same, or another process writes, it goes back to the servers.
//
// A message follows a hole if its Ht-Before is neither the message read before it nor known to
// be delivered. The partition stops and names the missing id; the others continue.
//
// An epoch belongs to all partitions that a sender takes at the same time. It is raised in the
// database under the partitions' advisory locks, and is part of each bookmark. Each transaction
// of the store of parked deliveries checks it: a sender that was deposed without noticing
// changes nothing.
package natslog
