// Package setup creates the tables, the publication and the slot that a run needs, and
// stores a run's position in the stream for the next run.
package setup
