// Package logging decides which of many repeated failures are logged: the first one, then
// summaries with the number of failures, and a last line after a success.
//
// It is not on the path of a change.
package logging
