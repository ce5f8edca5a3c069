// Package gaps tests that no gap in the stream is silent. It runs the real program with a
// real PostgreSQL whose slot, publication or history is changed behind its back.
package gaps
