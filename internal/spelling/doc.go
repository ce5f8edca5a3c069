// Package spelling finds the name that somebody meant.
//
// It is not on the path of a change.
package spelling
