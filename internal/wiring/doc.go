// Package wiring makes what the other rooms need from the configuration: sessions with
// the database, the sender, the options of stream and mapping, the hooks, the plan of
// publication and slot, and the store of parked deliveries with the signing keys.
//
// The running program and the commands share it, so that both mean the same by a
// variable. It starts nothing.
package wiring
