// Package gaps tests that no gap in the stream is silent: with the real program and
// a real PostgreSQL whose slot, publication or history somebody else has touched.
package gaps
