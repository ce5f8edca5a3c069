// Package dispatch delivers events to the hooks that want them: what to attempt when, in
// which order, and again when it failed.
//
// It is the last room on the path of a change: WAL → cdc → mapping → dispatch → HTTP.
// Beside it stand dispatch/hook, which says who wants an event, dispatch/send, which makes
// one attempt, and dispatch/state, which keeps what cannot be delivered now. It knows
// nothing of the WAL, SQL and net/http.
//
// The path within the package:
//
//	Dispatcher  targets → lanes, bounded in bytes
//	lane        one hook's deliveries: lock, timer, health and attempts
//	window      what a hook is still to get, in memory and in the Store (pure)
//	schedule    which of them may go now: in order per task, parallel elsewhere (pure)
//	sender      one attempt: a POST and what became of it (dispatch/send)
//	Policy      what follows an attempt: delivered, again at, dead (pure)
//	writer      what windows decide → the Store, many decisions in a transaction
//
// # Memory and the Store
//
// A delivery that succeeds is held in memory alone. One that fails its quick attempts is
// parked in the Store, with what waits for it; so is everything of a hook that gets
// nothing for a while. The slot then does not wait for it. What a window has no room for
// is its tail, which is in the Store alone and is read in parts.
//
// After a crash the stream brings events again that were not confirmed. Stored
// deliveries of later commits wait until it has passed them, so that nothing older is
// sent after them.
//
// # Poisoned or failing
//
// A delivery that fails holds back its task. One that has been refused 5 times over a
// minute, while its hook was not failing, is held: its project does not wait for it any
// more, its own task does.
//
// A hook fails when attempts at three different tasks have failed since its last
// success. It then gets one request at a time, the probe: heads that were not tried,
// the newest first, at most one a second in the first minute and one every 10 s later;
// else the tried ones in turn, every 30 s in the first hour and every 150 s later. Any
// success makes it live, and what has failed meanwhile is tried again soon.
package dispatch
