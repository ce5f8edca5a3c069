// Package faults holds hooktail's promises against what goes wrong around it: a
// PostgreSQL that dies, a network that is cut or lies, a kill -9, a full disk, a
// clock that jumps, a transaction that is larger than any memory.
//
// It has tests alone. They run the real program as a process of its own
// (proctest) beside a real PostgreSQL (cdctest), and after every fault ask the
// same things: that every committed event arrived under one id, that the events
// of a task first arrived in the order of their commits, and that the slot was
// never confirmed past what is delivered or parked.
package faults
