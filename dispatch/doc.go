// Package dispatch delivers events to the hooks that want them. It decides which delivery
// to attempt, when, and in which order, and retries those that fail.
//
// It is the last package on the path of a change: WAL → cdc → mapping → dispatch → HTTP.
// Three packages help it: dispatch/hook finds the hooks that want an event, dispatch/send
// makes one attempt, and dispatch/state stores deliveries that cannot be made now. This
// package does not know the WAL, SQL or net/http.
//
// The path within the package:
//
//	Dispatcher  targets → lanes, bounded in bytes
//	lane        one hook's deliveries: lock, timer, health and attempts
//	window      a hook's outstanding deliveries, in memory and in the Store (pure)
//	schedule    the deliveries that may start now: in order per task, else parallel (pure)
//	sender      one attempt: a POST and its outcome (dispatch/send)
//	Policy      the verdict on an attempt: delivered, retry at a time, dead (pure)
//	writer      decisions of windows → the Store, many in a transaction
//
// # Memory and the Store
//
// A delivery that succeeds is only held in memory. A delivery that fails its quick attempts
// is parked in the Store, with the deliveries that wait for it; so are all deliveries of a
// hook to which nothing can be sent for a while. The slot does not wait for parked
// deliveries. A window's tail, for which it has no room, is only in the Store and is read
// in parts.
//
// After a crash the stream repeats events that were not confirmed. Stored deliveries of
// later commits wait until the stream has passed them, so that no older delivery is sent
// after them.
//
// # Poisoned or failing
//
// A delivery that fails delays its task. If it has failed 5 times over a minute while its
// hook was not failing, it is held: its task still waits for it, its project no longer
// does.
//
// A hook is failing when attempts at three different tasks have failed since its last
// success. It then gets one request at a time, the probe. The probe takes heads that were
// not tried, the newest first, at most one a second in the first minute and one every 10 s
// later. If there are none, it takes the tried heads in turn, every 30 s in the first hour
// and every 150 s later. Any success makes the hook live, and all heads that have failed
// meanwhile are retried soon.
package dispatch
