// Package natslog is the log between a reader and its senders: rendered events in a stream
// of NATS JetStream. The reader is the instance that leads on the slot; a sender takes
// partitions of the log and delivers what is in them. The package uses JetStream as a log,
// not as a queue: no acknowledgement, no redelivery, no consumer state that matters.
//
// # Stream and buckets
//
// One stream per slot, HOOKTAIL_<slot>, in a file store: subjects ht.<slot>.d.00 to .63,
// atomic batches and direct reads allowed, discard new, no maximum age. A full stream
// refuses the next batch, and the slot waits. One key-value bucket, HOOKTAIL_<slot>, has the
// bookmark of each partition.
//
// A partition is hook mod 64: concurrency, probes, pauses and Retry-After belong to one hook
// and need one owner. No URL, header or secret of a hook is in the log.
//
// # Messages
//
// A message is an event and those hooks of one partition that want it, or the news that a
// hook has changed. Its headers are:
//
//	Ht-Id       the event's id; of a change: the id "change-<LSN>-<hook>"
//	Ht-Before   the id of the message before it in the partition; empty: it is the first
//	Ht-Prefix   the reader's contiguous prefix: all events of commits up to this LSN were
//	            in the log before the batch of this message
//	Ht-Number   the message's number in its partition, from 1
//	Ht-Floor    sequence from which on all messages of later commits than Ht-Prefix are
//	Ht-Hooks    the hooks with their actions, "7=TASK_CREATED 71=TASKS_CREATED,bare"; bare:
//	            the action alone is sent
//	Ht-Event    action, project, task, time of the commit
//	Ht-Stored   1: the payload is in the table log_body
//
// The data is the members of the payload after "action", which the body of each hook is made
// of. A payload of more than 512 KiB is written to log_body before its message.
//
// # The reader
//
// Writer is the outlet of the pipeline. It cuts rendered events into atomic batches, between
// events, at 1,000 messages and 8 MiB. The first message of a batch names the sequence that
// it follows: the batch of a deposed reader is refused. Any refusal ends the term.
//
// Events leave out of the order of their ids, so the last id in the log is no high-water
// mark. A new reader takes prefix and floor from the last message, reads what is above the
// prefix, and leaves out exactly the (partition, id) that are there.
//
// Delivery.Done is called when the broker has acknowledged the batch. Holdback then keeps
// the slot from being confirmed: the server's default is to sync its files every two minutes,
// and what it has acknowledged since is lost with its power. The slot is confirmed only up to
// the prefix of two sync intervals ago, and only after the log was seen to end where the
// writer left it since then.
//
// # The sender
//
// Tail reads the partitions of a sender in the order of the log, and Progress knows what of a
// partition is done. A bookmark is the contiguous end of what is done: its sequence and id,
// the prefix that its message has, and the ids done above the prefix. The ids are the truth,
// the sequence says where to look: a stream that was cut back by a power failure has other
// messages under the same sequences.
//
// A message whose Ht-Before is neither the message read before it nor known to be done
// follows a hole. The partition stops and says which id is missing; the others go on.
//
// An epoch belongs to all partitions that a sender takes at one time. It is raised in the
// database under the partitions' advisory locks, is in each bookmark, and each transaction of
// the store of parked deliveries checks it: a sender that was deposed without noticing
// changes nothing.
package natslog
