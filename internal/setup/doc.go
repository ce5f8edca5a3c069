// Package setup creates the tables, the publication and the slot that a run needs, and
// removes them. It examines the slot as a run does, without reading it.
package setup
