// Package retry waits and tries again: once for all rooms.
//
// It knows no errors of PostgreSQL or HTTP; callers say which errors are worth
// another attempt.
package retry
