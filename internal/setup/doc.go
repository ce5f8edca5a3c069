// Package setup creates the tables, the publication and the slot that a run needs, and
// removes them. It looks at the slot as a run does, without reading it.
package setup
