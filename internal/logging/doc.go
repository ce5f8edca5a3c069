// Package logging decides which of many repeated failures are logged: the first one
// at once, then summaries with their number, and a last line when it works again.
//
// It is not on the path of a change.
package logging
