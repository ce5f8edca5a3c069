// Package dispatch delivers events to the hooks that want them: who wants an
// event, in which order, over HTTP, again when it failed.
//
// It is the last room on the path of a change: WAL → cdc → mapping → dispatch →
// HTTP. It knows the tables webhook and webhook_action and nothing of the WAL
// they are read from.
//
// The path within the package:
//
//	Hooks       the rows of webhook and webhook_action, as of the event's commit
//	Hooks.Match event → targets
//	Dispatcher  targets → lanes, bounded in bytes
//	lane        one hook's deliveries: in order per task, parallel elsewhere
//	schedule    which of a lane's deliveries may go now (pure)
//	Sender      one attempt: a POST and what became of it
//	Policy      what follows an attempt: delivered, again at, dead (pure)
//
// The Sender asks Egress which addresses it may connect to, and signs with the
// hook's SigningKeys, which a Keyring encrypts for the table that they are kept in.
//
// What is held is held in memory. A delivery that cannot be made now waits in
// its lane; durable parking takes its place in lane.settle.
package dispatch
