// Package demo shows hooktail at work: a throwaway PostgreSQL with Label Studio's
// tables, two receivers, and the running program between them, in this process. It
// plays recorded changes, says what arrives, and removes everything that it made.
package demo
