// Package logging decides which failures are logged of something that fails again
// and again: at once when it begins, then now and then with how many there were,
// and once more when it is over.
//
// It stands beside the path and knows nothing of it.
package logging
