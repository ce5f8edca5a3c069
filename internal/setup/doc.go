// Package setup makes what a run needs in the database, and removes it: tables, publication
// and slot. It looks at the slot as a run does, without reading it.
package setup
