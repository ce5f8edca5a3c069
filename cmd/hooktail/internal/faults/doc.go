// Package faults tests hooktail's promises under faults: a PostgreSQL that dies, a
// network that breaks or misbehaves, a kill -9, a full disk, a clock that jumps, a
// transaction larger than memory.
//
// It has only tests. They run the real program as a process (proctest) with a real
// PostgreSQL (cdctest). After every fault they check that every committed event
// arrived under one id, that the events of a task first arrived in commit order, and
// that the slot was never confirmed beyond the delivered and parked events.
package faults
