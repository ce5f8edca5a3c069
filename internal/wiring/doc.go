// Package wiring turns the configuration into the dependencies of other packages: database
// sessions, the sender, the options of stream and mapping, the hooks, the plan of
// publication and slot, and the store of parked deliveries with the signing keys.
//
// The running program and the commands share it, so a variable has the same meaning in
// both. It starts no goroutines.
package wiring
